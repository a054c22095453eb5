package xmltree

import (
	"fmt"
	"strings"
)

// Error says why a text is no document. Message is what libxml2 says. Line and Column
// count from 1, columns in characters.
type Error struct {
	Message      string
	Line, Column int
	mark         string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// In is the error as libvirt tells it of a document that it calls by a name: with the
// line it is in, and below that a line that points.
func (e *Error) In(document string) string {
	return fmt.Sprintf("%s:%d: %s%s", document, e.Line, e.Message, e.mark)
}

// fail is a mistake where the scanner stands.
func (s *scanner) fail(format string, values ...any) error {
	return s.failAt(s.pos, format, values...)
}

func (s *scanner) failAt(at int, format string, values ...any) *Error {
	e := &Error{Message: fmt.Sprintf(format, values...), mark: s.lines.mark(at)}
	e.Line, e.Column = s.lines.Position(at)
	return e
}

// longestLine is how long a line is shown, in bytes.
const longestLine = 4096

// mark shows the line of a byte and points at it, as libvirt does: it counts bytes,
// keeps tabs, and has a word for a line that is empty.
func (l *Lines) mark(at int) string {
	start := strings.LastIndexAny(l.text[:at], "\r\n") + 1
	line := l.text[start:]
	if end := strings.IndexAny(line, "\r\n"); end >= 0 {
		line = line[:end]
	}
	switch {
	case len(line) > longestLine:
		return ""
	case line == "":
		line = "(null)"
	}
	var b strings.Builder
	for _, c := range []byte(l.text[start:at]) {
		if c != '\t' {
			c = '-'
		}
		b.WriteByte(c)
	}
	return "\n" + line + "\n" + b.String() + "^"
}
