// Comments of structured fields. RFC 5322 3.2.2.

/// Finds the ends of comments in one value, in linear time for any value.
///
/// Nested comments are counted, not followed, so depth costs nothing. After a comment was found
/// open, every later parenthesis of the value is text: nothing is searched twice.
struct CommentSearch {
    private var areClosed = true

    /// The offset after the comment that begins with the `(` at `start`; nil when it is not closed
    /// before `limit`.
    mutating func end(_ bytes: Bytes, from start: Int, limit: Int) -> Int? {
        guard areClosed else { return nil }
        var depth = 0
        var i = start
        while i < limit {
            switch bytes[i] {
            case 0x28: depth += 1
            case 0x29:
                depth -= 1
                if depth == 0 { return i + 1 }
            case 0x5C: i += 1
            default: break
            }
            i += 1
        }
        areClosed = false
        return nil
    }
}
