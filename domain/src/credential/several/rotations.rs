//! Ending several rotations, or moving their deadlines.

use crate::base::clock::Timestamp;
use crate::credential::Result;
use crate::credential::rotate::{Progress, under_way};
use crate::credential::several::outcome::Kept;
use crate::model::credential::Credential;
use crate::prelude::{Change, Event};

/// Ends the old secret or key of one credential. With `only_moved`, one that a program may still need stays.
pub(super) async fn finished(
    change: &mut Change<'_>,
    credential: &Credential,
    only_moved: bool,
) -> Result<Result<Event, Kept>> {
    let sides = under_way::read(change, credential).await?;
    Ok(match sides.progress() {
        _ if !sides.is_rotating() => Err(Kept::NotRotating),
        Progress::Broken => Err(Kept::NewEnded),
        Progress::Unused | Progress::Both if only_moved => Err(Kept::StillUsed),
        _ => Ok(under_way::end_old(change, credential, &sides).await?),
    })
}

/// Gives the old secret or key of one credential another deadline.
pub(super) async fn postponed(
    change: &mut Change<'_>,
    credential: &Credential,
    deadline: Timestamp,
) -> Result<Result<Event, Kept>> {
    let sides = under_way::read(change, credential).await?;
    if !sides.is_rotating() {
        return Ok(Err(Kept::NotRotating));
    }
    Ok(Ok(under_way::set_deadline(change, credential, &sides, deadline).await?))
}
