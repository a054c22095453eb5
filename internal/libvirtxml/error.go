package libvirtxml

import (
	"errors"
	"fmt"

	"kvmnet/internal/xmltree"
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

// fault is an error at a byte of the text, before it has a line and a column.
type fault struct {
	at      int
	message string
}

func (f *fault) Error() string { return f.message }

// refuse makes an error of one of the classes, at a node or at a value.
func refuse(at int, class, format string, values ...any) error {
	return &fault{at: at, message: class + fmt.Sprintf(format, values...)}
}

// located turns a fault into an Error, with its place in the text.
func located(l *xmltree.Lines, err error) *Error {
	f, ok := err.(*fault)
	if !ok {
		return &Error{Message: err.Error()}
	}
	e := &Error{Message: f.message}
	e.Line, e.Column = l.Position(f.at)
	return e
}

// What libvirt calls the documents that are not well-formed.
const (
	networkLabel  = "(network_definition)"
	updateLabel   = "network_update_xml"
	metadataLabel = "(metadata_xml)"
	portLabel     = "(networkport_definition)"
)

// malformed turns a mistake of syntax into an Error, for a document of some kind.
func malformed(label string, err error) *Error {
	var e *xmltree.Error
	if !errors.As(err, &e) {
		return &Error{Message: err.Error()}
	}
	return &Error{Message: e.In(label), Line: e.Line, Column: e.Column}
}
