package xmltree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func parsed(t *testing.T, text string) (*Node, *Lines) {
	t.Helper()
	root, lines, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return root, lines
}

// outline tells a tree in a line.
func outline(n *Node) string {
	switch n.Kind {
	case Text:
		return fmt.Sprintf("%q", n.Text)
	case CDATA:
		return fmt.Sprintf("cdata%q", n.Text)
	case Comment:
		return fmt.Sprintf("comment%q", n.Text)
	case Instruction:
		return fmt.Sprintf("%s?%q", n.Name, n.Text)
	}
	var inside []string
	for _, a := range n.Attrs {
		inside = append(inside, fmt.Sprintf("@%s{%s}=%q", a.FullName(), a.Space, a.Value))
	}
	for _, c := range n.Children {
		inside = append(inside, outline(c))
	}
	return fmt.Sprintf("%s{%s}(%s)", n.FullName(), n.Space, strings.Join(inside, " "))
}

func TestTreesAreWhatDocumentsSay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<a/>": `a{}()`,
		"<?xml version='1.0'?>\n<a></a>\n<!-- b -->":                           `a{}()`,
		"<a>b&lt;&#x41;&#66;\r\nc\rd</a>":                                      `a{}("b<AB\nc\nd")`,
		"<a b='1\n2&#10;3' c=\"'\"/>":                                          `a{}(@b{}="1 2\n3" @c{}="'")`,
		"<a><![CDATA[<&]]><!--c--><?d e?><?f?></a>":                            `a{}(cdata"<&" comment"c" d?"e" f?"")`,
		"<p:a xmlns:p='u' xmlns='v' p:b='1' c='2'><d/><p:e xmlns:p=''/></p:a>": `p:a{u}(@p:b{u}="1" @c{}="2" d{v}() p:e{}())`,
		"<q:a q:b='1'/>":     `q:a{}(@q:b{}="1")`,
		"<a xml:lang='de'/>": `a{}(@xml:lang{` + XMLSpace + `}="de")`,
		"<é ü='ß'>ö</é>":     `é{}(@ü{}="ß" "ö")`,
	} {
		root, _ := parsed(t, text)
		if got := outline(root); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// White space that only sets elements apart is no node, as libxml2 guesses it.
func TestLayoutIsNoText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<a> <b/> <c/> </a>":                       `a{}(b{}() c{}())`,
		"<a> </a>":                                 `a{}(" ")`,
		"<a>x <b/> </a>":                           `a{}("x " b{}() " ")`,
		"<a> <b/> x <c/> </a>":                     `a{}(b{}() " x " c{}())`,
		"<a>&#32;<b/></a>":                         `a{}(" " b{}())`,
		"<a xml:space='preserve'> <b/> </a>":       `a{}(@xml:space{` + XMLSpace + `}="preserve" " " b{}() " ")`,
		"<a xml:space='preserve'><b> <c/></b></a>": `a{}(@xml:space{` + XMLSpace + `}="preserve" b{}(" " c{}()))`,
	} {
		root, _ := parsed(t, text)
		if got := outline(root); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// A prefix that nobody declared is a part of the name.
func TestUndeclaredPrefixIsPartOfTheName(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, "<q:a q:b='1'/>")
	if root.Prefix != "" || root.Name != "q:a" || root.Attrs[0].Prefix != "" || root.Value("q:b") != "1" {
		t.Errorf("%+v", root)
	}
}

// Everything has a place, in lines and in columns of characters.
func TestNodesHaveAPlace(t *testing.T) {
	t.Parallel()
	root, lines := parsed(t, "<a>\n <b é='1' c = 'é' d=''/>\r\n é<!---->\n</a>")
	b := root.Element("b")
	c, _ := b.Attribute("c")
	comment := root.Children[len(root.Children)-1]
	for name, test := range map[string]struct {
		at   int
		want string
	}{
		"root": {root.At, "1:1"}, "b": {b.At, "2:2"}, "c": {c.At, "2:11"}, "value of c": {c.ValueAt, "2:16"}, "place of c": {b.Place("c"), "2:16"},
		"place of d": {b.Place("d"), "2:22"}, "place of what is not there": {b.Place("e"), "2:2"}, "comment": {comment.At, "3:3"},
	} {
		line, column := lines.Position(test.at)
		if got := fmt.Sprintf("%d:%d", line, column); got != test.want {
			t.Errorf("%s is at %s, want %s", name, got, test.want)
		}
	}
	for number, want := range []string{"", "<a>", " <b é='1' c = 'é' d=''/>", " é<!---->", "</a>", ""} {
		if got := lines.Line(number); got != want {
			t.Errorf("line %d is %q, want %q", number, got, want)
		}
	}
}

// Mistakes are told in the words of libxml2, with the line and a mark below it.
func TestMistakesAreToldAsLibxml2TellsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "doc:1: Document is empty\n(null)\n^",
		"x":                      "doc:1: Start tag expected, '<' not found\nx\n^",
		"<a>\n\t<b></c></a>":     "doc:2: Opening and ending tag mismatch: b line 2 and c\n\t<b></c></a>\n\t-------^",
		"<a>\n<b>":               "doc:2: Premature end of data in tag b line 2\n<b>\n---^",
		"<p:a></p:b>":            "doc:1: Opening and ending tag mismatch: a line 1 and b\n<p:a></p:b>\n-----------^",
		"<a></p:a>":              "doc:1: Opening and ending tag mismatch: a line 1 and p:a\n<a></p:a>\n---------^",
		"<p:a>":                  "doc:1: Premature end of data in tag a line 1\n<p:a>\n-----^",
		"<?xml version='1'?><a>": "doc:1: Malformed declaration expecting version\n<?xml version='1'?><a>\n-----------------^",
		"<a b=c/>":               "doc:1: AttValue: \" or ' expected\n<a b=c/>\n-----^",
		"<a b='1' b='2'/>":       "doc:1: Attribute b redefined\n<a b='1' b='2'/>\n--------------^",
		"<a>&nbsp;</a>":          "doc:1: Entity 'nbsp' not defined\n<a>&nbsp;</a>\n---------^",
		"<a/><b/>":               "doc:1: Extra content at the end of the document\n<a/><b/>\n----^",
		"<a>x\n]]></a>":          "doc:2: Sequence ']]>' not allowed in content\n<a>x\n---^",
		"<a>é\xff</a>":           "doc:1: Input is not proper UTF-8, indicate encoding !\nBytes: 0xFF 0x3C 0x2F 0x61\n<a>é\xff</a>\n-----^",
		"<a b='<'/>":             "doc:1: Unescaped '<' not allowed in attributes values\n<a b='<'/>\n------^",
		"<a><!-- x -- y --></a>": "doc:1: Double hyphen within comment: <!-- x \n<a><!-- x -- y --></a>\n----------^",
	} {
		_, _, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", text, err)
		} else if got := e.In("doc"); got != want {
			t.Errorf("%q\ngot\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestMistakesHaveAPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<a>\n  <name>a</nam>\n</a>": "2:16: Opening and ending tag mismatch: name line 2 and nam",
		"<a>é</b>":                   "1:9: Opening and ending tag mismatch: a line 1 and b",
	} {
		if _, _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
