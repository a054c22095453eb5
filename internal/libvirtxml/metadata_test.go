package libvirtxml

import (
	"errors"
	"testing"
)

// The texts are those of virsh 9.0's metadata, which is the same for domains.
func TestMetadataIsSetAndAskedForAsVirshDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, key, xml, kept, asked string }{
		{"text", "k", "<a q='1'><b/><c xmlns='urn:y'>x</c> t &amp; &lt;</a>",
			`<k:a xmlns:k="urn:x" q="1"><k:b/><c xmlns="urn:y">x</c> t &amp; &lt;</k:a>`, `<a q="1"><b/><c xmlns="urn:y">x</c> t &amp; &lt;</a>`},
		{"elements only", "k", "<a><b/><c><d/></c><!-- hi --></a>",
			"<k:a xmlns:k=\"urn:x\">\n  <k:b/>\n  <k:c>\n    <k:d/>\n  </k:c>\n  <!-- hi -->\n</k:a>", "<a>\n  <b/>\n  <c>\n    <d/>\n  </c>\n  <!-- hi -->\n</a>"},
		{"an empty one", "key-1", "<z/>", `<key-1:z xmlns:key-1="urn:x"/>`, "<z/>"},
		{"with blanks around", "k", " <a>x</a> ", `<k:a xmlns:k="urn:x">x</k:a>`, "<a>x</a>"},
		{"with a prologue", "k", "<?xml version='1.0'?><a>x</a>", `<k:a xmlns:k="urn:x">x</k:a>`, "<a>x</a>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := &Network{Metadata: []Element{{"urn:w", `<w:old xmlns:w="urn:w"/>`}, {"urn:x", `<x:old xmlns:x="urn:x"/>`}}}
			if err := n.SetMetadata("urn:x", c.key, c.xml); err != nil {
				t.Fatal(err)
			}
			if len(n.Metadata) != 2 || n.Metadata[1] != (Element{"urn:x", c.kept}) || n.Metadata[0].Namespace != "urn:w" {
				t.Errorf("got  %+v\nwant %s", n.Metadata, c.kept)
			}
			if got, there := n.MetadataOf("urn:x"); !there || got != c.asked {
				t.Errorf("asked for it, got %q, want %q", got, c.asked)
			}
		})
	}
}

func TestMetadataThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, key, xml, message string }{
		{"no XML", "k", "nonsense", "(metadata_xml):1: Start tag expected, '<' not found\nnonsense\n^"},
		{"two elements", "k", "<a/><b/>", "(metadata_xml):1: Extra content at the end of the document\n<a/><b/>\n----^"},
		{"a key that begins with a digit", "1v", "<a/>", "internal error: failed to validate prefix for a new XML namespace"},
		{"a key with a colon", "a:b", "<a/>", "internal error: failed to validate prefix for a new XML namespace"},
		{"no key", "", "<a/>", "internal error: failed to validate prefix for a new XML namespace"},
		{"a key that the element declares", "w", "<w:z xmlns:w='urn:x'/>", "internal error: failed to create a new XML namespace"},
		{"a key of XML's own", "xmlns", "<a/>", "internal error: failed to create a new XML namespace"},
	} {
		n := &Network{Metadata: []Element{{"urn:x", "<x:old xmlns:x=\"urn:x\"/>"}}}
		err := n.SetMetadata("urn:x", c.key, c.xml)
		var e *Error
		if !errors.As(err, &e) || e.Message != c.message {
			t.Errorf("%s: got %q, want %q", c.name, err, c.message)
		}
		if len(n.Metadata) != 1 || n.Metadata[0].Text != `<x:old xmlns:x="urn:x"/>` {
			t.Errorf("%s: became %+v", c.name, n.Metadata)
		}
	}
}

// An element whose own namespace is another one is of that one, as in libvirt.
func TestMetadataOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	n := &Network{}
	if err := n.SetMetadata("urn:x", "k", "<a xmlns='urn:q'><b/></a>"); err != nil {
		t.Fatal(err)
	}
	if _, there := n.MetadataOf("urn:x"); there {
		t.Error("it is of urn:x")
	}
	if got, _ := n.MetadataOf("urn:q"); got != "<a xmlns:k=\"urn:x\">\n  <b/>\n</a>" {
		t.Errorf("got %q", got)
	}
	n.RemoveMetadata("urn:q")
	n.RemoveMetadata("urn:nothing")
	if len(n.Metadata) != 0 {
		t.Errorf("left %+v", n.Metadata)
	}
}
