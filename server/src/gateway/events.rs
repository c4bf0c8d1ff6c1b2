//! Event streams (server-sent events, WHATWG HTML §9.2.6), cut into events as they arrive.

use std::fmt::Write;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its lines, except those with data: its type, its identifier, comments.
    others: Vec<String>,
    /// Its data; `None` without a line of data.
    pub(crate) data: Option<String>,
}

impl Event {
    /// The value of a field other than its data, such as `id`.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ String| -> Option<usize> {
            let rest = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(line.len() - rest.strip_prefix(' ').unwrap_or(rest).len())
        };
        self.others.iter().find_map(|line| Some(&line[value(line)?..]))
    }

    /// The event as it is sent on.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.others {
            text.push_str(line);
            text.push('\n');
        }
        for line in self.data.iter().flat_map(|data| data.split('\n')) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "data: {line}");
        }
        text.push('\n');
        text
    }
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    line: Vec<u8>,
    event: Event,
    /// Bytes of the event so far.
    length: usize,
    /// Whether the last byte was a carriage return, so that a line feed after it ends no further line.
    after_return: bool,
    /// Whether the first line has ended: only that line may begin with a byte order mark.
    is_under_way: bool,
}

/// An event that is longer than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Splitter {
    /// Reads the next piece. Returns the events that it completes.
    pub(crate) fn read(&mut self, piece: &[u8], longest: usize) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in piece {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    if let Some(event) = self.end_line() {
                        events.push(event);
                    }
                }
                byte => {
                    self.length += 1;
                    if self.length > longest {
                        return Err(TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(events)
    }

    /// Ends the line. An empty line ends the event.
    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = if std::mem::replace(&mut self.is_under_way, true) {
            &*line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(&line)
        };
        if line.is_empty() {
            self.length = 0;
            let event = std::mem::take(&mut self.event);
            return (event != Event::default()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field != "data" {
            // A short line costs more memory than its bytes.
            self.length = self.length.saturating_add(64);
            self.event.others.push(line.to_owned());
            return None;
        }
        let value = value.strip_prefix(' ').unwrap_or(value);
        match &mut self.event.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.event.data = Some(value.to_owned()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "\u{feff}: a comment\n\ndata: {\"id\":1,\"text\":\"äöü\"}\n\n",
        "event: message\r\nid: 7\r\ndata: {\"id\":7,\r\ndata:\"text\":\"größer\"}\r\n\r\n",
        "retry: 5\rdata\r\rid: 3\n\n\n\ndata: not complete"
    );

    fn events(pieces: &[&[u8]]) -> Vec<Event> {
        let mut splitter = Splitter::default();
        pieces.iter().flat_map(|piece| splitter.read(piece, 1000).expect("short")).collect()
    }

    #[test]
    fn the_pieces_in_which_a_stream_arrives_do_not_matter() {
        let whole = events(&[STREAM.as_bytes()]);
        let data: Vec<Option<&str>> = whole.iter().map(|event| event.data.as_deref()).collect();
        let expected =
            [None, Some("{\"id\":1,\"text\":\"äöü\"}"), Some("{\"id\":7,\n\"text\":\"größer\"}"), Some(""), None];
        assert_eq!(data, expected);
        assert_eq!(whole[2].others, ["event: message", "id: 7"]);
        for size in 1..STREAM.len() {
            let pieces: Vec<&[u8]> = STREAM.as_bytes().chunks(size).collect();
            assert_eq!(events(&pieces), whole, "{size} bytes at a time");
        }
    }

    #[test]
    fn an_event_that_is_sent_on_reads_the_same() {
        let whole = events(&[STREAM.as_bytes()]);
        let again: String = whole.iter().map(Event::to_text).collect();
        assert_eq!(events(&[again.as_bytes()]), whole);
    }

    #[test]
    fn an_event_has_a_longest_length_and_a_stream_has_none() {
        let mut splitter = Splitter::default();
        for _ in 0..1000 {
            assert_eq!(splitter.read(b"data: 12345\n\n", 11).map(|events| events.len()), Ok(1));
        }
        assert_eq!(splitter.read(b"data: 123456\n\n", 11), Err(TooLong));
        let lines = "a\n".repeat(1000);
        assert_eq!(Splitter::default().read(lines.as_bytes(), 10_000), Err(TooLong), "short lines cost memory, too");
    }
}
