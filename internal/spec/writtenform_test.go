package spec

import (
	"encoding"
	"encoding/json"
	"strings"
	"testing"
)

// again reads a text and expects that its printed form reads as the same value.
func again[T comparable](t *testing.T, parse func(string) (T, error), print func(T) string, text string) {
	t.Helper()
	v, err := parse(text)
	if err != nil {
		if strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%q is refused without a reason", text)
		}
		return
	}
	if back, err := parse(print(v)); err != nil || back != v {
		t.Errorf("%q prints as %q, which reads as %v, %v", text, print(v), back, err)
	}
}

func FuzzWrittenForms(f *testing.F) {
	for _, text := range []string{"", "80", "2000-2999", "65535-65535", "0", "90-80", "192.0.2.5:8080", "[2001:db8::5]:80", "2001:db8::5",
		"[::]", ":", ":80", "[:80", "vm1", "vm1:80", "VM1.lab:0", "10.9.0.5:443", "[fd00::5]:80", "fd00::5", "[vm1]:80", "fe80::1%eth0:80",
		"10mbit", "1gbit", "8kbit", "1001gbit", "12 Kbit", "9999999999999999999bit", "lab", "lab/guests", "lab/gateway", "router/r1", "set/office",
		"network/any", "network/10.0.0.1", "network/network", "router/guests", "10.0.0.0/8", "::/0", "10.0.0.5", "any", "outside", "a/b/c", "/", "set/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		again(t, ParsePortRange, PortRange.String, text)
		again(t, ParseListen, Listen.String, text)
		again(t, ParseTarget, Target.String, text)
		again(t, ParseRate, Rate.String, text)
		again(t, ParseParty, Party.String, text)
	})
}

func TestListenForms(t *testing.T) {
	t.Parallel()
	good := map[string]Listen{
		"8080":              {Ports: PortRange{8080, 8080}},
		"2000-2999":         {Ports: PortRange{2000, 2999}},
		"192.0.2.5:8080":    {addr("192.0.2.5"), PortRange{8080, 8080}},
		"192.0.2.5:80-90":   {addr("192.0.2.5"), PortRange{80, 90}},
		"[2001:db8::5]:443": {addr("2001:db8::5"), PortRange{443, 443}},
	}
	for text, want := range good {
		if got, err := ParseListen(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseListen(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "x", "192.0.2.5", "2001:db8::5", "2001:db8::5:80:", "host:80", "192.0.2.5:", ":80:90", "80-", "-80", "65536"} {
		if got, err := ParseListen(text); err == nil {
			t.Errorf("ParseListen(%q) = %v, want an error", text, got)
		}
	}
}

func TestTargetForms(t *testing.T) {
	t.Parallel()
	good := map[string]Target{
		"vm1":           {Name: "vm1"},
		"vm1:80":        {Name: "vm1", Port: 80},
		"10.9.0.5":      {Addr: addr("10.9.0.5")},
		"10.9.0.5:443":  {Addr: addr("10.9.0.5"), Port: 443},
		"fd00::5":       {Addr: addr("fd00::5")},
		"[fd00::5]:443": {Addr: addr("fd00::5"), Port: 443},
	}
	for text, want := range good {
		if got, err := ParseTarget(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseTarget(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "vm1:", "vm1:0", "vm1:70000", "vm 1:80", ":80", "vm1:80:90", "-vm:80"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("ParseTarget(%q) = %v, want an error", text, got)
		}
	}
}

func TestRateForms(t *testing.T) {
	t.Parallel()
	good := map[string]Rate{"10mbit": 10e6, "1gbit": 1e9, "1500kbit": 1500e3, "8000bit": 8000, "1000 GBIT": 1e12}
	for text, want := range good {
		if got, err := ParseRate(text); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "10", "mbit", "-1mbit", "0bit", "7kbit", "1001gbit", "1.5mbit", "10MB"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %d, want an error", text, got)
		}
	}
	if got := Rate(1500e3).String(); got != "1500kbit" {
		t.Errorf("printed as %s", got)
	}
}

func TestPartyForms(t *testing.T) {
	t.Parallel()
	good := map[string]Party{
		"lab": {Kind: PartyNetwork, Name: "lab"}, "lab/guests": {Kind: PartyGuests, Name: "lab"}, "lab/gateway": {Kind: PartyGateway, Name: "lab"},
		"router/r1": {Kind: PartyRouter, Name: "r1"}, "set/office": {Kind: PartySet, Name: "office"}, "network/any": {Kind: PartyNetwork, Name: "any"},
		"10.0.0.0/8": {Kind: PartyPrefix, Prefix: prefix("10.0.0.0/8")}, "10.0.0.5": {Kind: PartyPrefix, Prefix: prefix("10.0.0.5/32")},
		"fd00::5": {Kind: PartyPrefix, Prefix: prefix("fd00::5/128")}, "outside": {Kind: PartyOutside}, "any": {Kind: PartyAny},
	}
	for text, want := range good {
		if got, err := ParseParty(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseParty(%q) = %+v, %v", text, got, err)
		}
	}
	bad := map[string]string{
		"":          "the party is missing",
		"lab/guest": `"lab/guest" is not a party of a policy (did you mean lab/guests?)`,
		"sets/x":    `"sets/x" is not a party of a policy (did you mean set/x?)`,
		"set/":      "a name cannot be empty",
		"-x":        `the name "-x" must begin with a letter or a digit`,
	}
	for text, want := range bad {
		if got, err := ParseParty(text); err == nil || err.Error() != want {
			t.Errorf("ParseParty(%q) = %+v, %v, want %s", text, got, err, want)
		}
	}
	if list, err := Parties("lab, set/office any").Parse(); err != nil || len(list) != 3 {
		t.Errorf("several parties are %v, %v", list, err)
	}
	if n := (Party{Kind: PartyGuests, Name: "lab"}).Network(); n != "lab" {
		t.Errorf("the party is on network %q", n)
	}
}

// Nothing written is nothing read, for those who keep values as JSON.
func TestZeroValuesAreEmptyText(t *testing.T) {
	t.Parallel()
	for _, v := range []interface {
		encoding.TextMarshaler
		encoding.TextUnmarshaler
	}{&PortRange{1, 2}, &Listen{Ports: PortRange{1, 2}}, &Target{Name: "x"}, new(Rate)} {
		if err := v.UnmarshalText(nil); err != nil {
			t.Errorf("%T: %v", v, err)
		}
		if text, err := v.MarshalText(); err != nil || len(text) > 0 {
			t.Errorf("%T prints as %q, %v", v, text, err)
		}
	}
	if r := (AddrRange{}); r.String() != "" || !r.IsZero() {
		t.Errorf("no range prints as %q", r)
	}
}

func TestListsAreAWordOrAList(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"from":"a, b","ports":"80, 90-99","to":"10.0.0.0/8, fd00::1"}`, `{"from":["a","b"],"ports":["80","90-99"],"to":["10.0.0.0/8","fd00::1"]}`} {
		var v struct {
			From  Parties
			Ports PortRanges
			To    Prefixes
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		ports, errPorts := v.Ports.List()
		to, errTo := v.To.List()
		if len(v.From.List()) != 2 || len(ports) != 2 || len(to) != 2 || errPorts != nil || errTo != nil {
			t.Errorf("%s reads as %+v, %v, %v", text, v, errPorts, errTo)
		}
		if !to[1].IsSingleIP() || ports[1].Len() != 10 {
			t.Errorf("%s is %v, %v", text, to, ports)
		}
	}
}

func TestPortsMayBeNumbersInJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]PortRanges{
		`80`: "80", `"80"`: "80", `"8000-8099"`: "8000-8099", `[80, 443]`: "80, 443", `[80, "8000-8099", "443"]`: "80, 8000-8099, 443", `[]`: "", `null`: "", `""`: "",
	} {
		var p PortRanges
		if err := json.Unmarshal([]byte(text), &p); err != nil || p != want {
			t.Errorf("%s reads as %q, %v", text, p, err)
		}
	}
	for _, text := range []string{`{}`, `true`, `[[80]]`, `[true]`, `[{}]`} {
		if p := PortRanges(""); json.Unmarshal([]byte(text), &p) == nil {
			t.Errorf("%s reads as %q", text, p)
		}
	}
	for _, text := range []string{`80.5`, `[-1]`, `1e3`, `70000`} {
		var p PortRanges
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if list, err := p.List(); err == nil {
			t.Errorf("%s is %v", text, list)
		}
	}
}
