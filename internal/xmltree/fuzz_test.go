package xmltree

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

// Any text is read or refused with a place in it. What is read prints as something that
// reads back as it is, and is well-formed to the library, too.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"<a/>", "<?xml version='1.0' encoding='UTF-8'?><a b='1' c=\"2\">x<d/>&amp;&#65;</a>", family, "<a> <b/> </a>", "<a>x <b> </b></a>",
		"<p:a xmlns:p='u' p:b='1'><c xmlns='v'/><p:d xmlns:p=''/></p:a>", "<a><![CDATA[<&]]><!--c--><?d e?></a>", "<!DOCTYPE a><a/>",
		"<a b='\n\t'>\r\n\r</a>", "<a:b:c/>", "<é ü='ß'>ö</é>", "<a", "<a></b>", "<a>]]></a>", "<a xml:space='preserve'> <b/></a>", "\ufeff<a/>", "<a><!-- -- --></a>",
		"<a b='1' b='2'/>", "<a>\xff</a>", "<?xml version='1.1'?><a/>", "<?xml version='1.0' encoding='latin1'?><a/>",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, lines, err := Parse(text)
		var e *Error
		switch {
		case err == nil:
			readsBack(t, root, lines)
			asTheLibrary(t, text, root)
		case !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Line > 1+strings.Count(text, "\n"):
			t.Errorf("%q: %v", text, err)
		}
	})
}

// readsBack checks places, and that what is printed is read as it is.
func readsBack(t *testing.T, root *Node, lines *Lines) {
	t.Helper()
	if line, column := lines.Position(root.At); !strings.HasPrefix(string([]rune(lines.Line(line) + " ")[column-1:]), "<") {
		t.Errorf("the root is not at %d:%d", line, column)
	}
	printed := root.Alone()
	again, _, err := Parse(printed)
	if err != nil {
		t.Fatalf("%s\nis refused: %v", printed, err)
	}
	if got := again.Alone(); got != printed {
		t.Errorf("%s\nis read as\n%s", printed, got)
	}
}

// differs says where libxml2, and so the scanner, takes what the library does not. A
// text with anything of the kind is not compared.
var differs = map[string]*regexp.Regexp{
	"the library reads no document types as we do":                regexp.MustCompile(`<!DOCTYPE`),
	"to libxml2 a name may have several colons, the first counts": regexp.MustCompile(`:[^\s<>=/]*:`),
	"to libvirt every encoding is UTF-8, which the library asks":  regexp.MustCompile(`^(\x{feff})?<\?xml[^>]*encoding`),
	"libxml2 takes any version 1":                                 regexp.MustCompile(`^(\x{feff})?<\?xml[^>]*version\s*=\s*['"]1\.([^0]|0[^'"])`),
}

// asTheLibrary holds a document against encoding/xml: the same elements, and the same
// text but for white space.
func asTheLibrary(t *testing.T, text string, root *Node) {
	t.Helper()
	for _, pattern := range differs {
		if pattern.MatchString(text) {
			return
		}
	}
	var names []string
	var content strings.Builder
	for d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && strings.Contains(err.Error(), "invalid XML name") {
			return // the library has the names of XML's fourth edition, libxml2 those of the fifth
		}
		if err != nil {
			t.Fatalf("%q\nis refused by encoding/xml: %v", text, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			names = append(names, token.Name.Local)
		case xml.CharData:
			content.Write(token)
		}
	}
	if got, want := strings.Join(localNames(root), " "), strings.Join(names, " "); got != want {
		t.Errorf("%q\nhas the elements %s, to encoding/xml %s", text, got, want)
	}
	if got, want := withoutBlanks(root.Content()), withoutBlanks(content.String()); got != want {
		t.Errorf("%q\nhas the text %q, to encoding/xml %q", text, got, want)
	}
}

// localNames are the names of an element and of those inside, without prefixes.
func localNames(n *Node) []string {
	_, name := cutName(n.Name) // one with a prefix that is not declared
	names := []string{name}
	for _, c := range n.Inside(func(*Node) bool { return true }) {
		names = append(names, localNames(c)...)
	}
	return names
}

func withoutBlanks(s string) string {
	return strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "").Replace(s)
}
