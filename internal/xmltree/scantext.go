package xmltree

import (
	"strings"
	"unicode/utf8"
)

// character moves behind a character. What XML does not allow ends the text: then ok
// is false, and err says why when it is the encoding that is wrong.
func (s *scanner) character() (r rune, ok bool, err error) {
	r, size := utf8.DecodeRuneInString(s.text[s.pos:])
	switch {
	case size == 0:
		return 0, false, nil
	case r == utf8.RuneError && size == 1:
		return 0, false, s.encoding()
	case r == 0xfffe || r == 0xffff:
		return 0, false, s.fail("Char 0x%X out of allowed range", r)
	case !isCharacter(r):
		return r, false, nil
	}
	s.pos += size
	return r, true, nil
}

// encoding is the error for bytes that are not UTF-8.
func (s *scanner) encoding() error {
	rest := s.text[s.pos:]
	var bytes [4]byte
	copy(bytes[:], rest)
	follow := func(i int) rune { return rune(bytes[i] & 0x3f) }
	follows := func(i int) bool { return bytes[i]&0xc0 == 0x80 }
	switch {
	case bytes[0] == 0xed && follows(1) && follows(2): // half a pair
		return s.fail("Char 0x%X out of allowed range", 0xd000|follow(1)<<6|follow(2))
	case bytes[0] >= 0xf4 && bytes[0] < 0xf8 && follows(1) && follows(2) && follows(3): // too far
		return s.fail("Char 0x%X out of allowed range", rune(bytes[0]&7)<<18|follow(1)<<12|follow(2)<<6|follow(3))
	}
	return s.fail("Input is not proper UTF-8, indicate encoding !\nBytes: 0x%02X 0x%02X 0x%02X 0x%02X", bytes[0], bytes[1], bytes[2], bytes[3])
}

// isCharacter reports whether XML allows a character (XML 1.0 section 2.2).
func isCharacter(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r < 0xd800 || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}

// characters reads text up to the next tag.
func (s *scanner) characters() (*Node, error) {
	n := &Node{Kind: Text, At: s.pos, blank: true}
	var b strings.Builder
	for s.pos < len(s.text) && s.peek() != '<' {
		if s.at("]]>") {
			return nil, s.sequence(n.At)
		}
		if s.peek() == '&' {
			r, err := s.reference()
			if err != nil {
				return nil, err
			}
			b.WriteRune(r)
			n.blank = false
			continue
		}
		n.blank = n.blank && isBlank(s.peek())
		r, ok, err := s.character()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, s.fail("PCDATA invalid Char value %d", r)
		}
		writeRune(&b, r, s)
	}
	n.Text = b.String()
	return n, nil
}

// sequence is the error for the end of a section where none began. libxml2 names its
// line, and points at where the text begins.
func (s *scanner) sequence(from int) error {
	err := s.failAt(from, "Sequence ']]>' not allowed in content")
	err.Line = s.lines.number(s.pos)
	return err
}

// writeRune adds a character; the end of a line is a line feed (XML 1.0 section 2.11).
func writeRune(b *strings.Builder, r rune, s *scanner) {
	if r == '\r' {
		if s.peek() == '\n' {
			return
		}
		r = '\n'
	}
	b.WriteRune(r)
}

// attributeValue reads a value with its quotes.
func (s *scanner) attributeValue() (string, error) {
	quote := s.peek()
	if quote != '"' && quote != '\'' {
		return "", s.fail("AttValue: \" or ' expected")
	}
	s.pos++
	var b strings.Builder
	for s.peek() != quote {
		r, err := s.valueCharacter()
		if err != nil {
			return "", err
		}
		b.WriteRune(r)
	}
	s.pos++
	return b.String(), nil
}

// valueCharacter reads a character of a value. White space becomes a space, unless it
// is given by its number (XML 1.0 section 3.3.3).
func (s *scanner) valueCharacter() (rune, error) {
	switch {
	case s.pos >= len(s.text):
		return 0, s.fail("AttValue: ' expected")
	case s.peek() == '<':
		return 0, s.fail("Unescaped '<' not allowed in attributes values")
	case s.peek() == '&':
		return s.reference()
	case s.at("\r\n"): // one end of a line
		s.pos++
	}
	blank := isBlank(s.peek())
	r, ok, err := s.character()
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, s.fail("invalid character in attribute value")
	case blank:
		return ' ', nil
	}
	return r, nil
}
