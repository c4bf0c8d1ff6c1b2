//! Messages in an event stream of an MCP server (server-sent events). The stream is read piece by piece, as it arrives,
//! and each byte of it once.

use serde_json::Value;

/// The part of a stream that is not complete yet: the event, and its last line.
#[derive(Default)]
pub(super) struct EventStream {
    line: Vec<u8>,
    /// The lines of data in the event, each with a line feed behind it.
    data: Vec<u8>,
}

impl EventStream {
    /// Reads the next piece of the stream. Returns the first message with this identifier in the events that the piece
    /// completes.
    pub(super) fn read(&mut self, piece: &[u8], id: i64) -> Option<Value> {
        // Each part but the last ends a line.
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.line.extend_from_slice(part);
            if parts.peek().is_some()
                && let Some(message) = self.end_line()
                && message["id"] == id
            {
                return Some(message);
            }
        }
        None
    }

    /// Ends the line. An empty line ends the event, and its data may be a message.
    fn end_line(&mut self) -> Option<Value> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return serde_json::from_str(&String::from_utf8_lossy(&data)).ok();
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            self.data.push(b'\n');
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STREAM: &str = concat!(
        ": a comment\n\ndata: {\"id\":1,\"text\":\"äöü\"}\n\n",
        "event: message\r\ndata: {\"id\":7,\r\ndata:\"text\":\"größer\"}\r\n\r\n",
        "data: no JSON\n\nid: 3\n\ndata: {\"id\":7,\"text\":\"the second one\"}\n\ndata: {\"id\":8}"
    );

    /// The message with the identifier 7 in a stream that arrives in these pieces.
    fn found<'piece>(pieces: impl IntoIterator<Item = &'piece [u8]>) -> Option<Value> {
        let mut stream = EventStream::default();
        pieces.into_iter().find_map(|piece| stream.read(piece, 7))
    }

    #[test]
    fn the_pieces_in_which_a_stream_arrives_do_not_matter() {
        let (stream, message) = (STREAM.as_bytes(), Some(json!({ "id": 7, "text": "größer" })));
        assert_eq!(found([stream]), message);
        for size in 1..stream.len() {
            assert_eq!(found(stream.chunks(size)), message, "{size} bytes at a time");
            let (first, rest) = stream.split_at(size);
            assert_eq!(found([first, &[], rest]), message, "cut after {size} bytes");
        }
    }

    #[test]
    fn an_event_that_is_not_complete_is_no_message() {
        for stream in ["data: {\"id\":7}", "data: {\"id\":7}\n", "data: {\"id\":7}\r\n", "{\"id\":7}\n\n", "\n\n"] {
            assert_eq!(found(stream.as_bytes().chunks(3)), None, "{stream}");
        }
        assert_eq!(found(["data: {\"id\":\"7\"}\n\n".as_bytes()]), None, "another identifier");
    }

    #[test]
    fn what_was_read_is_not_kept_and_not_read_again() {
        let mut stream = EventStream::default();
        for number in 0..1000 {
            let event = format!("data: {{\"id\":8,\"number\":{number}}}\n\n");
            for piece in event.as_bytes().chunks(5) {
                assert_eq!(stream.read(piece, 7), None);
                assert!(stream.line.len() + stream.data.len() <= event.len(), "only the event that is not complete");
            }
            assert!(stream.line.is_empty() && stream.data.is_empty(), "the event is complete");
        }
    }
}
