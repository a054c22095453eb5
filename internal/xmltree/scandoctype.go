package xmltree

import "strings"

// doctype moves behind a document type. One that declares something is refused: it
// could let a short text stand for gigabytes, and no network needs it.
func (s *scanner) doctype() error {
	if !s.skip("<!DOCTYPE") {
		return nil
	}
	s.blanks()
	name, err := s.name()
	switch {
	case err != nil:
		return err
	case name == "":
		return s.fail("xmlParseDocTypeDecl : no DOCTYPE name !")
	}
	s.blanks()
	if err := s.external(); err != nil {
		return err
	}
	s.blanks()
	at := s.pos
	if s.skip("[") {
		if s.blanks(); !s.skip("]") {
			return s.failAt(at, "The DOCTYPE has declarations of its own, which are not read: remove it")
		}
		s.blanks()
	}
	if !s.skip(">") {
		return s.fail("DOCTYPE improperly terminated")
	}
	return nil
}

// external moves behind the names of a document type that is elsewhere, which is
// never fetched.
func (s *scanner) external() error {
	switch {
	case s.skip("SYSTEM"):
		return s.literal("Space required after 'SYSTEM'")
	case s.skip("PUBLIC"):
		if err := s.literal("Space required after 'PUBLIC'"); err != nil {
			return err
		}
		return s.literal("Space required after the Public Identifier")
	}
	return nil
}

// literal moves behind a name in quotes, and the space before it.
func (s *scanner) literal(noSpace string) error {
	if s.blanks() == 0 {
		return s.fail("%s", noSpace)
	}
	quote := s.peek()
	if quote != '"' && quote != '\'' {
		return s.fail("SystemLiteral \" or ' expected")
	}
	end := strings.IndexByte(s.text[s.pos+1:], quote)
	if end < 0 {
		return s.failAt(len(s.text), "Unfinished System or Public ID \" or ' expected")
	}
	s.pos += end + 2
	return nil
}
