package xmltree

import "strings"

// What a document may have at most. A network with a thousand reservations takes a
// tenth of it.
const (
	MaxSize       = 1 << 20
	MaxDepth      = 64
	MaxElements   = 100_000
	MaxAttributes = 1000 // of one element, namespaces included
)

// scanner reads a document as libxml2 does for libvirt, and says of a mistake what
// it says. It stops at the first one. It is our own, since encoding/xml tells no
// places of attributes and takes other things for mistakes.
type scanner struct {
	text     string
	pos      int
	depth    int
	elements int
	spaces   map[string][]string // by prefix; the last one is in force
	lines    *Lines
}

// Parse reads a document and returns its root element, and the lines of the text. What
// stands before and after the root is checked and forgotten. An error is an *Error.
func Parse(text string) (*Node, *Lines, error) {
	s := &scanner{text: text, lines: newLines(text), spaces: map[string][]string{}}
	root, err := s.scan()
	if err != nil {
		return nil, nil, err
	}
	return root, s.lines, nil
}

// scan reads a document and returns its root element.
func (s *scanner) scan() (*Node, error) {
	if err := s.refuseText(); err != nil {
		return nil, err
	}
	for _, part := range []func() error{s.declaration, s.between, s.doctype, s.between} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	if s.peek() != '<' {
		return nil, s.fail("Start tag expected, '<' not found")
	}
	root, err := s.element(nil)
	if err != nil {
		return nil, err
	}
	if err := s.between(); err != nil {
		return nil, err
	}
	if s.pos < len(s.text) {
		return nil, s.fail("Extra content at the end of the document")
	}
	return root, nil
}

// refuseText refuses a text as a whole, before anything is made of it.
func (s *scanner) refuseText() error {
	switch nul := strings.IndexByte(s.text, 0); {
	case len(s.text) > MaxSize:
		return s.failAt(0, "The document has %d bytes, at most %d are read", len(s.text), MaxSize)
	case strings.HasPrefix(s.text, "\xff\xfe") || strings.HasPrefix(s.text, "\xfe\xff") || nul >= 0 && nul < 2:
		return s.failAt(0, "The document is UTF-16, save it as UTF-8")
	case nul >= 0:
		return s.failAt(nul, "The document has a NUL byte")
	}
	switch marked := s.skip("\ufeff"); {
	case s.pos < len(s.text):
		return nil
	case marked:
		return s.failAt(0, "Start tag expected, '<' not found")
	}
	return s.fail("Document is empty")
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// at reports whether a word comes next.
func (s *scanner) at(word string) bool { return strings.HasPrefix(s.text[s.pos:], word) }

// skip moves behind a word when it comes next.
func (s *scanner) skip(word string) bool {
	if !s.at(word) {
		return false
	}
	s.pos += len(word)
	return true
}

// blanks moves behind white space and returns how much there was.
func (s *scanner) blanks() int {
	from := s.pos
	for s.pos < len(s.text) && isBlank(s.text[s.pos]) {
		s.pos++
	}
	return s.pos - from
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// between moves behind what may stand before and after the root element.
func (s *scanner) between() error {
	for {
		s.blanks()
		var err error
		switch {
		case s.at("<?"):
			_, err = s.instruction()
		case s.at("<!--"):
			_, err = s.comment()
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}
