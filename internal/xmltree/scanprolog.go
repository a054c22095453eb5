package xmltree

import (
	"regexp"
	"strings"
	"sync"
)

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

// setting reads the value of a name, as much of it as is of a form. It leaves the
// closing quote to closed.
func (s *scanner) setting(name string, form *regexp.Regexp) (value string, quote byte, err error) {
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
	value = form.FindString(s.text[s.pos:])
	s.pos += len(value)
	return value, quote, nil
}

// closed moves behind a closing quote.
func (s *scanner) closed(quote byte) error {
	if s.peek() != quote {
		return s.fail("String not closed expecting \" or '")
	}
	s.pos++
	return nil
}

// The forms of the values in a declaration. Of a version the digits alone say nothing.
var (
	versionForm  = late(`^[0-9](\.[0-9]*)?`)
	encodingForm = late(`^[A-Za-z][A-Za-z0-9._-]*`)
	noForm       = late(`^`)
)

// late is an expression that is compiled when it is needed first: scripts of QEMU, which
// read no XML, do not wait for it.
func late(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

func (s *scanner) version() error {
	value, quote, err := s.setting("version", versionForm())
	if err == nil && quote != 0 {
		err = s.closed(quote)
	}
	switch {
	case err != nil:
		return err
	case !strings.Contains(value, "."):
		return s.fail("Malformed declaration expecting version")
	case !strings.HasPrefix(value, "1."):
		return s.fail("Unsupported version '%s'", value)
	}
	return nil
}

// encodingName reads the name of the encoding. libvirt takes every text for UTF-8, but
// refuses a name that it does not know.
func (s *scanner) encodingName() error {
	value, quote, err := s.setting("encoding", encodingForm())
	switch {
	case err != nil || quote == 0:
		return err
	case value == "":
		return s.fail("Invalid XML encoding name")
	}
	if err := s.closed(quote); err != nil {
		return err
	}
	if !encodings().MatchString(punctuation.Replace(strings.ToLower(value))) {
		return s.fail("Unsupported encoding %s", value)
	}
	return nil
}

// punctuation makes no difference in the names of encodings, nor does case.
var punctuation = strings.NewReplacer("-", "", "_", "", ".", "")

// encodings are the names that are known, the usual ones of each family.
var encodings = late(`^(utf(7|8|16|32)(be|le)?|ucs[24](be|le)?|iso10646ucs[24]|unicode` +
	`|(us|cs)?ascii|ansix341968|iso8859([1-9]|1[0-6])|latin([1-9]|10)|l[1-9]|windows(874|125[0-8])` +
	`|(cp|ibm)(367|437|737|775|8[5-7][0-9]|9[3-5][0-9]|1[0-9]{3})|koi8[ru]?|mac(intosh)?|html|hproman8|t61|tis620|viscii` +
	`|euc(jp|kr|cn|tw)|shiftjis|sjis|gb(2312|k|18030)|big5(hkscs)?|johab)$`)

func (s *scanner) standalone() error {
	_, quote, err := s.setting("standalone", noForm())
	if err != nil || quote == 0 {
		return err
	}
	if !s.skip("yes") && !s.skip("no") {
		return s.fail("standalone accepts only 'yes' or 'no'")
	}
	return s.closed(quote)
}
