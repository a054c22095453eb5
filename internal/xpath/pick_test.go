package xpath

import (
	"strings"
	"testing"
)

const lab = `<network connections='1'>
  <name>lab</name>
  <description>two
lines &amp; a "quote"</description>
  <metadata>
    <!-- kept -->
    <a:x xmlns:a="http://a" b="1&quot;2">t</a:x>
  </metadata>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00::1' prefix='64'>
  </ip>
</network>
`

// TestNodesArePrintedAsVirshPrintsThem has the forms that virsh 9.0 was seen to
// print.
func TestNodesArePrintedAsVirshPrintsThem(t *testing.T) {
	for expression, want := range map[string][]string{
		"//name":                  {"<name>lab</name>"},
		"//name/text()":           {"lab"},
		"//bridge":                {`<bridge name="virbr0" stp="on" delay="0"/>`},
		"//bridge/@*":             {` name="virbr0"`, ` stp="on"`, ` delay="0"`},
		"//ip[1]":                 {"<ip address=\"192.168.122.1\" netmask=\"255.255.255.0\">\n  <dhcp>\n    <range start=\"192.168.122.2\" end=\"192.168.122.254\"/>\n  </dhcp>\n</ip>"},
		"//range | //bridge":      {`<bridge name="virbr0" stp="on" delay="0"/>`, `<range start="192.168.122.2" end="192.168.122.254"/>`},
		"/network/ip/@address":    {` address="192.168.122.1"`, ` address="fd00::1"`},
		"//ip[@family='ipv6']":    {"<ip family=\"ipv6\" address=\"fd00::1\" prefix=\"64\">\n  </ip>"},
		"//ip[not(@family)]//end": nil,
		"//description":           {"<description>two\nlines &amp; a \"quote\"</description>"},
		"//metadata":              {"<metadata>\n  <!-- kept -->\n  <a:x xmlns:a=\"http://a\" b=\"1&quot;2\">t</a:x>\n</metadata>"},
		"//comment()":             {"<!-- kept -->"},
		"//range/../..":           {"<ip address=\"192.168.122.1\" netmask=\"255.255.255.0\">\n  <dhcp>\n    <range start=\"192.168.122.2\" end=\"192.168.122.254\"/>\n  </dhcp>\n</ip>"},
		"//bridge/preceding-sibling::name | //bridge/following-sibling::ip[2]/@prefix": {"<name>lab</name>", ` prefix="64"`},
		"//nope": nil,
	} {
		got, err := Pick(lab, expression)
		if err != nil || strings.Join(got, "\n---\n") != strings.Join(want, "\n---\n") {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", expression, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestWholeDocumentHasADeclaration(t *testing.T) {
	got, err := Pick("<a><b c='1'/></a>", "/")
	want := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>\n  <b c=\"1\"/>\n</a>\n"
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

const kept = `<a><k:x xmlns:k="http://k" b="é"><?pi some thing?><!--c--><k:y>t<![CDATA[<u>]]></k:y><z/></k:x></a>`

// TestWhatIsKeptOfOthersIsPrintedAsItWas has what virsh 9.0 was seen to print.
func TestWhatIsKeptOfOthersIsPrintedAsItWas(t *testing.T) {
	for expression, want := range map[string][]string{
		"//k:y":                           {"<k:y>t<![CDATA[<u>]]></k:y>"},
		"//text()":                        {"t", "<![CDATA[<u>]]>"},
		"//@b":                            {` b="&#xE9;"`},
		"//*[namespace-uri()='http://k']": {"<k:x xmlns:k=\"http://k\" b=\"&#xE9;\">\n  <?pi some thing?>\n  <!--c-->\n  <k:y>t<![CDATA[<u>]]></k:y>\n  <z/>\n</k:x>", "<k:y>t<![CDATA[<u>]]></k:y>"},
		"//z/preceding-sibling::node()":   {"<!--c-->", "<k:y>t<![CDATA[<u>]]></k:y>"}, // the engine knows no instructions
	} {
		got, err := Pick(kept, expression)
		if err != nil || strings.Join(got, "\n---\n") != strings.Join(want, "\n---\n") {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", expression, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestWrappedElementsBringTheirNamespaces: they are out of the element that declared
// those.
func TestWrappedElementsBringTheirNamespaces(t *testing.T) {
	want := "<nodes>\n  <k:y xmlns:k=\"http://k\">t<![CDATA[<u>]]></k:y>\n  <z/>\n</nodes>"
	if got, err := Wrapped(kept, "//k:x/*"); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestWrappedNodesAreInOneElement(t *testing.T) {
	for expression, want := range map[string]string{
		"//nope":           "<nodes/>",
		"//range/@start":   `<nodes start="192.168.122.2"/>`,
		"//ip/@address":    `<nodes address="fd00::1"/>`, // of two the last
		"//name/text()":    "<nodes>lab</nodes>",
		"//dhcp | //name":  "<nodes>\n  <name>lab</name>\n  <dhcp>\n    <range start=\"192.168.122.2\" end=\"192.168.122.254\"/>\n  </dhcp>\n</nodes>",
		"/network/ip[2]/.": "<nodes>\n  <ip family=\"ipv6\" address=\"fd00::1\" prefix=\"64\">\n  </ip>\n</nodes>",
	} {
		if got, err := Wrapped(lab, expression); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", expression, got, err, want)
		}
	}
}

func TestExpressionsOfNoNodesAreRefused(t *testing.T) {
	for _, expression := range []string{"//[", "foo(", "count(//ip)", "string(//name)", "true()", "1", "'a'", "", "//ip[", "@@", "nope()"} {
		if got, err := Pick(lab, expression); err == nil {
			t.Errorf("%q: got %q", expression, got)
		}
		if _, err := Wrapped(lab, expression); err == nil {
			t.Errorf("%q is wrapped", expression)
		}
	}
}

func TestDocumentsThatEndTooEarlyAreRefused(t *testing.T) {
	for _, document := range []string{"", "<a>", "<a></b>", "</a>", "<a", "<a></a></a>", "<a/><b/>"} {
		if got, err := Pick(document, "//a"); err == nil {
			t.Errorf("%q: got %q", document, got)
		}
	}
}

func FuzzPick(f *testing.F) {
	f.Add(lab, "//ip/@address")
	f.Add("<a>x<b/>y</a>", "//b/.. | //text()")
	f.Add("<a><!--c--><![CDATA[d]]></a>", "count(//a)")
	f.Fuzz(func(t *testing.T, document, expression string) {
		if len(expression) > 200 || len(document) > 2000 {
			return
		}
		one, err := Pick(document, expression)
		all, wrapErr := Wrapped(document, expression)
		if (err == nil) != (wrapErr == nil) || err == nil && len(one) == 0 && all != "<nodes/>" {
			t.Errorf("picked %q, %v; wrapped %q, %v", one, err, all, wrapErr)
		}
	})
}
