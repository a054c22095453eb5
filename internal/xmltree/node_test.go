package xmltree

import "testing"

const family = `<a xmlns:p='u' p:x='1' x='2' e=''>
 <b>one</b>
 <p:b>two</p:b>
 <b>three<c>four<!--no--></c><![CDATA[five]]></b>
</a>`

func TestElementsAreFoundByName(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, family)
	if got := len(root.Elements("b")); got != 2 {
		t.Errorf("%d elements of no namespace", got)
	}
	if got := len(root.Named("b")); got != 3 {
		t.Errorf("%d elements of any namespace", got)
	}
	if got := root.Element("b").Content(); got != "one" {
		t.Errorf("the first is %q", got)
	}
	if got := len(root.Inside(func(n *Node) bool { return n.Space == "u" })); got != 1 {
		t.Errorf("%d elements of the namespace", got)
	}
	if got := root.Content(); got != "onetwothreefourfive" {
		t.Errorf("the content is %q", got)
	}
	if root.Element("z") != nil || root.Elements("c") != nil {
		t.Error("there is what is not there")
	}
}

func TestAttributesAreFoundByName(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, family)
	if root.Value("x") != "1" || root.Own("x") != "2" {
		t.Errorf("x is %q, that of no namespace %q", root.Value("x"), root.Own("x"))
	}
	if !root.Has("e") || root.Has("f") || root.Value("f") != "" {
		t.Error("an empty attribute is there, another is not")
	}
	if !root.Declares("p") || root.Declares("q") {
		t.Error("p is declared, q is not")
	}
}

// Whoever asks need not ask first whether there is an element.
func TestNothingIsInsideNoElement(t *testing.T) {
	t.Parallel()
	var none *Node
	if none.Has("a") || none.Value("a")+none.Own("a")+none.Content() != "" || none.Element("a") != nil || none.Named("a") != nil {
		t.Error("there is something")
	}
}

func TestNamespacesAreGivenAndTaken(t *testing.T) {
	t.Parallel()
	root, _ := parsed(t, "<a><b/><o:c xmlns:o='v'><d/></o:c></a>")
	root.Declared = append(root.Declared, Attr{Name: "k", Value: "u"})
	root.Adopt("u", "k")
	if got, want := root.Alone(), "<k:a xmlns:k=\"u\">\n  <k:b/>\n  <o:c xmlns:o=\"v\">\n    <k:d/>\n  </o:c>\n</k:a>"; got != want {
		t.Errorf("adopted:\n%s", got)
	}
	root.Forget("u")
	if got, want := root.Alone(), "<a>\n  <b/>\n  <o:c xmlns:o=\"v\">\n    <d/>\n  </o:c>\n</a>"; got != want {
		t.Errorf("forgotten:\n%s", got)
	}
}

func TestPrefixesAreNamesWithoutAColon(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"a": true, "_1": true, "é-.": true, "": false, "1a": false, "a:b": false, "-": false, "a b": false} {
		if IsPrefix(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}
