package libvirtxml

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"kvmnet/internal/spec"
)

func TestDnsmasqLinesAreReadAsDnsmasqDoes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		key    string
		fields []string
	}{
		"":                             {"", nil},
		"   # all a comment":           {"", nil},
		"no-resolv":                    {"no-resolv", nil},
		"no-resolv # really":           {"no-resolv", nil},
		"cache-size=0":                 {"cache-size", []string{"0"}},
		" dhcp-option = 3 , 10.0.0.1 ": {"dhcp-option", []string{"3", "10.0.0.1"}},
		`dhcp-boot=tag:a,"http://x/a,b#c"`: {
			"dhcp-boot", []string{"tag:a", "http://x/a,b#c"}},
		`txt-record=a,"say \"no\"	b\t"`: {"txt-record", []string{"a", "say \"no\"\tb"}},
		`txt-record=a,c:\d`:             {"txt-record", []string{"a", `c:\d`}},
		"server=/x/10.0.0.1#5353":       {"server", []string{"/x/10.0.0.1#5353"}},
		"server=1.1.1.1 # by hand, ok":  {"server", []string{"1.1.1.1"}},
		"address=/#/1.2.3.4":            {"address", []string{"/#/1.2.3.4"}},
		"a=b=c":                         {"a", []string{"b=c"}},
		"a=":                            {"a", []string{""}},
		"a=,":                           {"a", []string{"", ""}},
		`a="open`:                       {"a", []string{"open"}},
	}
	for text, want := range cases {
		l, ok := parseDnsmasqLine(text)
		if ok != (want.key != "") || ok && (l.key != want.key || !reflect.DeepEqual(l.fields, want.fields)) {
			t.Errorf("%q: %q %q, %v", text, l.key, l.fields, ok)
		}
	}
}

// lined is a network with DHCP of both families on which lines are tried.
func lined(mode string, lines ...string) string {
	var b strings.Builder
	b.WriteString("<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>" + mode +
		"<ip address='10.0.0.1' netmask='255.255.255.0'><dhcp><range start='10.0.0.10' end='10.0.0.20'/></dhcp></ip>" +
		"<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::10' end='fd00::20'/></dhcp></ip><dnsmasq:options>")
	for _, line := range lines {
		b.WriteString("<dnsmasq:option value='" + escape(line) + "'/>")
	}
	b.WriteString("</dnsmasq:options></network>")
	return b.String()
}

func afterLines(t *testing.T, mode string, lines ...string) (*spec.Network, []string) {
	t.Helper()
	f, err := Parse("n.xml", []byte(lined(mode, lines...)))
	if err != nil {
		t.Fatal(err)
	}
	if problems := f.Validate(nil); len(problems) > 0 {
		t.Fatalf("%q leads to %v", lines, problems)
	}
	comesBack(t, f)
	var notes []string
	for _, n := range f.Notes {
		notes = append(notes, n.Message)
	}
	return f.Spec.Networks["n"], notes
}

func TestDHCPOptionsAreTranslated(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		v6         bool
		key, value string
	}{
		"3,10.0.0.9":                         {false, "router", "10.0.0.9"},
		"option:router,10.0.0.9":             {false, "router", "10.0.0.9"},
		"option:router":                      {false, "router", "none"},
		"3,0.0.0.0":                          {false, "router", "10.0.0.1"},
		"option:dns-server,1.1.1.1, 8.8.8.8": {false, "dns", "1.1.1.1, 8.8.8.8"},
		"option:domain-search,a.b,c.d":       {false, "search", "a.b, c.d"},
		"option:mtu,1400":                    {false, "mtu", "1400"},
		"19,0":                               {false, "ip-forwarding", "false"},
		"17,/srv/root":                       {false, "root-path", "/srv/root"},
		"121,10.8.0.0/16,10.0.0.9,1.2.3.4,10.0.0.8": {false, "routes", "10.8.0.0/16 via 10.0.0.9, 1.2.3.4/32 via 10.0.0.8"},
		"224,7":                          {false, "224", "u8: 7"},
		"224,70000":                      {false, "224", "u32: 70000"},
		"224,1.2.3.4,5.6.7.8":            {false, "224", "ip: 1.2.3.4, 5.6.7.8"},
		"224,01:02:ff":                   {false, "224", "hex: 01:02:ff"},
		`224,"a, b"`:                     {false, "224", "text: a, b"},
		"option6:dns-server,[::]":        {true, "dns", "fd00::1"},
		"option6:23,[fd00::5],[fd00::6]": {true, "dns", "fd00::5, fd00::6"},
		"option6:ntp-server,[fd00::5]":   {true, "ntp", "fd00::5"},
	}
	for line, want := range cases {
		n, notes := afterLines(t, "", "dhcp-option="+line)
		i := map[bool]int{true: 1}[want.v6]
		if got := n.Subnets[i].DHCP.Options; !reflect.DeepEqual(got, map[string]string{want.key: want.value}) || len(notes) > 0 || n.Subnets[1-i].DHCP.Options != nil {
			t.Errorf("%s: %v, %v", line, got, notes)
		}
	}
}

func TestLinesThatCannotBeTakenOverAreReported(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"dhcp-option=option:no-such,1":              "the option has no number that is known here",
		"dhcp-option=tag:red,3,10.0.0.1":            noTags,
		"dhcp-option=26,many":                       `"many" is not a number from 0 to 65535`,
		"dhcp-option=vendor:x,1,2":                  "the option has no number that is known here",
		"dhcp-boot=tag:red,x":                       noTags,
		"dhcp-boot=":                                "it names no file",
		"dhcp-match=set:red,option:vendor-class,x":  noTags,
		"dhcp-host=52:54:00:00:00:01,vm1":           "a host without an address has nothing reserved",
		"dhcp-host=52:54:00:00:00:01,10.9.0.1":      noDHCP,
		"dhcp-host=set:red,52:54:00:00:00:01":       noTags,
		"dhcp-range=10.0.0.40,static":               "only a range of addresses, a netmask and a lease time are known of it",
		"address=/x/y":                              noName,
		"host-record=a":                             noName,
		"cname=a":                                   noName,
		"server=1.1.1.1@eth0":                       "questions leave by the way the host has to the resolver",
		"server=dns.example":                        noName,
		"cache-size=-5":                             noSeconds,
		"local-ttl=x":                               noSeconds,
		"mx-host=a,b,c":                             noSeconds,
		"srv-host=_a._tcp.x,y,z":                    noSeconds,
		"domain=a.example,10.0.0.0/24":              "a network has one domain here, for all its addresses",
		"conf-file=/etc/passwd":                     noFiles,
		"dhcp-script=/bin/true":                     dnsmasqLacking["dhcp-script"],
		"adress=/a.example/10.0.0.1":                "kvmnet does not know it; did you mean address?",
		"nothing-like-it=1":                         "kvmnet does not know it",
		"listen-address=127.0.0.1\ncache-size=nine": onBridge,
	}
	for line, because := range cases {
		n, notes := afterLines(t, "", line)
		if len(notes) == 0 || !strings.HasSuffix(notes[0], ", because "+because) {
			t.Errorf("%s: %q", line, notes)
		}
		if n.DNS != nil || n.Subnets[0].DHCP.Options != nil || len(n.Subnets[0].DHCP.Hosts) > 0 {
			t.Errorf("%s: has an effect: %s", line, written(n))
		}
	}
}

// Who is asked depends on all lines together, in whatever order they stand.
func TestLinesDecideWhoIsAsked(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		mode  string
		lines []string
		want  spec.DNS
	}{
		"nobody":             {"<forward/>", []string{"no-resolv"}, spec.DNS{Forward: new(bool)}},
		"one":                {"<forward/>", []string{"no-resolv", "server=9.9.9.9"}, spec.DNS{Forwarders: resolver("9.9.9.9"), ForwardPlain: true, ForwardReverse: true}},
		"isolated":           {"", []string{"server=9.9.9.9"}, spec.DNS{Forwarders: resolver("9.9.9.9"), ForwardPlain: true, ForwardReverse: true}},
		"isolated, of one":   {"", []string{"server=/x.example/9.9.9.9"}, spec.DNS{Domains: map[string][]spec.Resolver{"x.example": resolver("9.9.9.9")}}},
		"no plain names":     {"<forward/>", []string{"domain-needed"}, spec.DNS{ForwardReverse: true}},
		"no plain names, //": {"<forward/>", []string{"local=//"}, spec.DNS{ForwardReverse: true}},
		"no private ones":    {"<forward/>", []string{"bogus-priv"}, spec.DNS{ForwardPlain: true}},
		"the usual":          {"<forward/>", []string{"server=/x.example/#"}, spec.DNS{Domains: map[string][]spec.Resolver{"x.example": {spec.DefaultResolver}}, ForwardPlain: true, ForwardReverse: true}},
	}
	for name, c := range cases {
		n, notes := afterLines(t, c.mode, c.lines...)
		if n.DNS == nil || !equal(*n.DNS, c.want) || len(notes) > 0 {
			t.Errorf("%s: %s, %v", name, written(n), notes)
		}
	}
}

func resolver(s string) []spec.Resolver {
	r, _ := spec.ParseResolver(s)
	return []spec.Resolver{r}
}

func FuzzDnsmasqLine(f *testing.F) {
	for _, line := range []string{
		"address=/a.b/1.2.3.4", "host-record=a,1.2.3.4,fd00::1,60", "cname=a,b,c,5", "server=/a/b/1.1.1.1#53", "local=//", "dhcp-option=tag:x,3,1.2.3.4",
		"dhcp-option=option6:dns-server,[::]", "dhcp-boot=a,b,1.2.3.4", "dhcp-match=set:x,option:client-arch,7", "dhcp-host=52:54:00:00:00:01,id:x,10.0.0.9,a,2h",
		"dhcp-range=10.0.0.50,10.0.0.60,255.255.255.0,12h", "txt-record=a,\"b, c\\\"\"", "srv-host=_a._b.c,d,1,2,3", "mx-host=a,b,3", "cache-size=5", "no-resolv",
		"tftp-root=/srv", "dhcp-vendorclass=set:e,PXEClient:Arch:00007", "dhcp-boot=tag:e,x", "domain=a.b", "auth-zone=x",
	} {
		f.Add(line, "domain-needed")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, line := range []string{a, b} {
			if !utf8.ValidString(line) || speakable(line) != line {
				return
			}
		}
		file, err := Parse("n.xml", []byte(lined("<forward/>", a, b)))
		if err != nil {
			return
		}
		if problems := file.Validate(nil); len(problems) > 0 {
			t.Fatalf("%q, %q lead to %v\n%s", a, b, problems, written(file.Spec.Networks["n"]))
		}
		comesBack(t, file)
	})
}
