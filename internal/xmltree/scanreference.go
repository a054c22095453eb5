package xmltree

import "strings"

// entities are the five that need no declaration. There are no others here: a text
// that declares some is refused, so nothing unfolds.
var entities = map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"', "apos": '\''}

// reference reads what begins with an ampersand.
func (s *scanner) reference() (rune, error) {
	if s.at("&#") {
		return s.number()
	}
	s.skip("&")
	name, err := s.name()
	switch {
	case err != nil:
		return 0, err
	case name == "":
		return 0, s.fail("xmlParseEntityRef: no name")
	case !s.skip(";"):
		return 0, s.fail("EntityRef: expecting ';'")
	}
	r, known := entities[name]
	if !known {
		return 0, s.fail("Entity '%s' not defined", name)
	}
	return r, nil
}

// number reads a character given by its number.
func (s *scanner) number() (rune, error) {
	s.skip("&#")
	base, digits, kind := rune(10), "0123456789", "decimal"
	if s.skip("x") {
		base, digits, kind = 16, "0123456789abcdef", "hexadecimal"
	}
	value := rune(0)
	for s.pos < len(s.text) && s.peek() != ';' {
		digit := strings.IndexByte(digits, s.peek()|lowerBit(s.peek()))
		if digit < 0 {
			return 0, s.fail("CharRef: invalid %s value", kind)
		}
		value = min(value*base+rune(digit), 0x110000)
		s.pos++
	}
	s.skip(";")
	switch {
	case value >= 0x110000:
		return 0, s.fail("xmlParseCharRef: character reference out of bounds")
	case !isCharacter(value):
		return 0, s.fail("xmlParseCharRef: invalid xmlChar value %d", value)
	}
	return value, nil
}

// lowerBit is what makes a letter small.
func lowerBit(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return 0x20
	}
	return 0
}

// name reads a name with its colons, "" when there is none.
func (s *scanner) name() (string, error) {
	from := s.pos
	for s.pos < len(s.text) {
		at := s.pos
		r, ok, err := s.character()
		if err != nil {
			return "", err
		}
		if !ok || !isName(r) && (at == from || !isNameRest(r)) {
			s.pos = at
			break
		}
	}
	return s.text[from:s.pos], nil
}

// isName reports whether a name may begin with a character (XML 1.0 section 2.3).
func isName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == ':':
		return true
	case r < 0xc0 || r == 0xd7 || r == 0xf7 || r == 0x37e || r >= 0x300 && r < 0x370:
		return false
	case r < 0x2000:
		return true
	}
	return r == 0x200c || r == 0x200d || r >= 0x2070 && r < 0x2190 || r >= 0x2c00 && r < 0x2ff0 ||
		r >= 0x3001 && r < 0xd800 || r >= 0xf900 && r < 0xfdd0 || r >= 0xfdf0 && r < 0xfffe || r >= 0x10000 && r < 0xf0000
}

// isNameRest reports whether a name may go on with a character it cannot begin with.
func isNameRest(r rune) bool {
	return r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xb7 || r >= 0x300 && r < 0x370 || r == 0x203f || r == 0x2040
}

// IsPrefix reports whether a text can stand before the colon of a name.
func IsPrefix(s string) bool {
	for i, r := range s {
		if r == ':' || !isName(r) && (i == 0 || !isNameRest(r)) {
			return false
		}
	}
	return s != ""
}
