package libvirtxml

import "strings"

// declaration reads <?xml …?>, which may begin a document.
func (s *scanner) declaration() error {
	if !s.at("<?xml") || len(s.text) < s.pos+6 || !isBlank(s.text[s.pos+5]) {
		return nil
	}
	s.skip("<?xml")
	s.blanks()
	if err := s.version(); err != nil {
		return err
	}
	if s.blanks() == 0 && !s.at("?>") {
		return s.fail("Blank needed here")
	}
	if err := s.encodingName(); err != nil {
		return err
	}
	s.blanks()
	if err := s.standalone(); err != nil {
		return err
	}
	if s.blanks(); !s.skip("?>") {
		return s.fail("parsing XML declaration: '?>' expected")
	}
	return nil
}

// setting reads the value of a name, made of some characters. It leaves the closing
// quote to closed.
func (s *scanner) setting(name, of string) (value string, quote byte, err error) {
	if !s.skip(name) {
		return "", 0, nil
	}
	if s.blanks(); !s.skip("=") {
		return "", 0, s.fail("expected '='")
	}
	s.blanks()
	quote = s.peek()
	if quote != '"' && quote != '\'' {
		return "", 0, s.fail("String not started expecting ' or \"")
	}
	s.pos++
	from := s.pos
	for s.pos < len(s.text) && strings.IndexByte(of, s.peek()) >= 0 {
		s.pos++
	}
	return s.text[from:s.pos], quote, nil
}

// closed moves behind a closing quote.
func (s *scanner) closed(quote byte) error {
	if s.peek() != quote {
		return s.fail("String not closed expecting \" or '")
	}
	s.pos++
	return nil
}

func (s *scanner) version() error {
	value, quote, err := s.setting("version", "0123456789.")
	if err == nil && quote != 0 {
		err = s.closed(quote)
	}
	switch {
	case err != nil:
		return err
	case value == "":
		return s.fail("Malformed declaration expecting version")
	case !strings.HasPrefix(value, "1."):
		return s.fail("Unsupported version '%s'", value)
	}
	return nil
}

// encodingName reads the name of the encoding. libvirt takes every text for UTF-8, but
// refuses a name that it does not know.
func (s *scanner) encodingName() error {
	value, quote, err := s.setting("encoding", letters+"._-")
	switch {
	case err != nil || quote == 0:
		return err
	case value == "":
		return s.fail("Invalid XML encoding name")
	}
	if err := s.closed(quote); err != nil {
		return err
	}
	for _, known := range encodings {
		if strings.HasPrefix(strings.ToLower(value), known) {
			return nil
		}
	}
	return s.fail("Unsupported encoding %s", value)
}

// encodings are how the names of encodings begin.
var encodings = []string{
	"utf-", "utf8", "utf16", "ucs", "iso-", "iso8859", "iso_8859", "latin", "l1", "us-ascii", "ascii", "windows-125", "cp", "ibm", "koi8", "euc-",
	"shift_jis", "shift-jis", "sjis", "gb", "big5", "mac", "html",
}

func (s *scanner) standalone() error {
	_, quote, err := s.setting("standalone", "")
	if err != nil || quote == 0 {
		return err
	}
	if !s.skip("yes") && !s.skip("no") {
		return s.fail("standalone accepts only 'yes' or 'no'")
	}
	return s.closed(quote)
}
