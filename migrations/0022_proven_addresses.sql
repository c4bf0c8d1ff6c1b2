-- When it was proven that the person has the address of the account. A manager of a team who invites an address can
-- open the link, so such an invitation proves nothing.
ALTER TABLE people ADD COLUMN address_proven_at BIGINT;

-- Administrators, and people whom administrators alone have invited. Invitations from the command line have no inviter.
-- The account must have been made with such an invitation: one that was accepted later says nothing about who made it,
-- and the invitation that did may have been deleted since.
UPDATE people SET address_proven_at = created_at
WHERE administrator_since IS NOT NULL
    OR EXISTS (
        SELECT 1 FROM invitations AS i WHERE i.email = people.email
            AND i.accepted_at >= people.created_at AND i.accepted_at < people.created_at + 60000
    ) AND NOT EXISTS (
        SELECT 1 FROM invitations AS i WHERE i.email = people.email AND i.accepted_at IS NOT NULL AND i.invited_by <> ''
            AND NOT EXISTS (
                SELECT 1 FROM people AS a WHERE a.id = i.invited_by AND a.administrator_since IS NOT NULL
            )
    );
