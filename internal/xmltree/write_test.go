package xmltree

import (
	"strings"
	"testing"
)

// The texts are those that virsh 9.0 was seen to print.
func TestElementsArePrintedAsLibxml2PrintsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<a></a>":                          "<a/>",
		"<a b='\"x\"&#10;é'/>":             "<a b=\"&quot;x&quot;&#10;&#xE9;\"/>",
		"<a>é\"&amp;&gt;&#13;</a>":         "<a>é\"&amp;&gt;&#13;</a>",
		"<a><b/><c>x<d/></c></a>":          "<a>\n  <b/>\n  <c>x<d/></c>\n</a>",
		"<a><?pi some thing?><!--c--></a>": "<a>\n  <?pi some thing?>\n  <!--c-->\n</a>",
		"<a>t<![CDATA[<u>]]></a>":          "<a>t<![CDATA[<u>]]></a>",
		"<a xmlns='&quot;'/>":              "<a xmlns='\"'/>",
	} {
		root, _ := parsed(t, text)
		if got := root.Format(0); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", text, got, want)
		}
	}
}

func TestIndentationGoesOnFromALevel(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, "<a><b/></a>")
	if got := root.Format(2); got != "<a>\n      <b/>\n    </a>" {
		t.Errorf("%q", got)
	}
	if got, want := root.Format(40), "\n"+strings.Repeat("  ", 30)+"<b/>"; !strings.Contains(got, want) {
		t.Errorf("%q is indented by another level than the deepest", got)
	}
}

// An element that stands alone declares what was declared around it, and only what it
// uses.
func TestElementAloneDeclaresWhatItUses(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, "<a xmlns:p='u' xmlns:q='v' xmlns:r='w'><p:b q:c='1'><p:d/></p:b></a>")
	b := root.Named("b")[0]
	if got, want := b.Alone(), "<p:b xmlns:p=\"u\" xmlns:q=\"v\" q:c=\"1\">\n  <p:d/>\n</p:b>"; got != want {
		t.Errorf("%s", got)
	}
	if got := b.Format(0); strings.Contains(got, "xmlns") {
		t.Errorf("inside it declares %s", got)
	}
}

// A document says that it is UTF-8, and then characters stand for themselves.
func TestDocumentHasADeclaration(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, "<a b='é'><c/></a>")
	if got, want := root.Document(), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"é\">\n  <c/>\n</a>\n"; got != want {
		t.Errorf("%q", got)
	}
	if got := root.Attrs[0].Format(); got != `b="&#xE9;"` {
		t.Errorf("the attribute is %s", got)
	}
}
