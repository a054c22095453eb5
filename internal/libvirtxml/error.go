package libvirtxml

import (
	"fmt"
	"strings"
)

// Error says why a document is refused. Message is what virsh prints behind
// "error: ", to the letter; for a mistake of syntax it has three lines, the last of
// which points. Line and Column count from 1, columns in characters; Line is 0 when
// the whole document is meant.
type Error struct {
	Message string
	Line    int
	Column  int
}

func (e *Error) Error() string { return e.Message }

// The messages of libvirt begin with the class of the error.
const (
	classXML         = "XML error: "
	classUnsupported = "unsupported configuration: "
	classInternal    = "internal error: "
)

// fault is an error at a byte of the text, before it has a line and a column. A
// mistake of syntax is shown with the line and a mark under the byte.
type fault struct {
	at      int
	message string
	syntax  bool
	below   int // lines from the mark to where the mistake is
}

func (f *fault) Error() string { return f.message }

// refuse makes an error of one of the classes, at a node or at a value.
func refuse(at int, class, format string, values ...any) error {
	return &fault{at: at, message: class + fmt.Sprintf(format, values...)}
}

// located turns a fault into an Error, with its place in the text.
func (l *lines) located(err error) *Error {
	f, ok := err.(*fault)
	if !ok {
		return &Error{Message: err.Error()}
	}
	e := &Error{Message: f.message}
	e.Line, e.Column = l.position(f.at)
	if f.syntax {
		e.Line += f.below
		e.Message = fmt.Sprintf("(network_definition):%d: %s%s", e.Line, f.message, l.mark(f.at))
	}
	return e
}

// longestLine is how long a line is shown, in bytes.
const longestLine = 4096

// mark shows the line of a byte and points at it, as libvirt does: it counts bytes,
// keeps tabs, and has a word for a line that is empty.
func (l *lines) mark(at int) string {
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
