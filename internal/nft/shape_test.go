package nft

import (
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

func TestKeysAndValuesComeBackAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		fields []field
		id     string
		size   int
	}{
		{[]field{ifname}, "lab0", 16},
		{[]field{ifname}, "123456789012345", 16},
		{[]field{ifname, ifname}, "lab0 . eth0.100", 32},
		{[]field{ifname, mac}, "br0 . 52:54:00:12:34:56", 24},
		{[]field{ipv4}, "10.0.0.1", 4},
		{[]field{ipv6}, "fd00::1", 16},
		{[]field{ipv6}, "::ffff:10.0.0.1", 16},
		{[]field{mark}, "0x00000101", 4},
		{[]field{proto, port}, "tcp . 80", 8},
		{[]field{proto, port}, "udp . 2000-2999", 8},
		{[]field{ipv4, proto, port}, "192.0.2.1 . sctp . 1-65535", 12},
		{[]field{ipv6, port}, "fd00::1 . 443", 20},
		{[]field{ifname, bits4}, "vnet0 . 10.0.0.1", 20},
		{[]field{ifname, macBits}, "vnet0 . 52:54:00:12:34:56", 24},
		{[]field{mark, half}, "0x00000101 . fd00::", 12},
		{[]field{ifname, net4}, "vnet0 . 10.0.0.0/22", 20},
		{[]field{ifname, net6}, "vnet0 . fd00::/63", 32},
	} {
		low, high, err := encode(c.fields, c.id)
		if err != nil || len(low) != c.size || len(high) != c.size {
			t.Errorf("%s: %d and %d bytes, %v; want %d", c.id, len(low), len(high), err, c.size)
			continue
		}
		if back, err := decode(c.fields, low, high); err != nil || back != c.id {
			t.Errorf("%s came back as %q, %v", c.id, back, err)
		}
		if _, err := decode(c.fields, low[1:], nil); err == nil {
			t.Errorf("%s: a short key was read", c.id)
		}
	}
}

func TestScriptQuotesNamesAndGroupsByMap(t *testing.T) {
	var rows, chains []plan.Op
	for _, e := range []plan.Element{
		{Map: "from", ID: "b", Value: "jump from_nat"},
		{Map: "egress", ID: "0a . eth0.1"},
		{Map: "from", ID: "a", Value: "jump from_open"},
		{Map: "gateways6", ID: "fd00::1"},
		{Map: "claims6", ID: "vnet0 . fe80::1"},
		{Map: "forward_range4", ID: "tcp . 1-9", Value: "10.0.0.1"},
	} {
		rows = append(rows, plan.Op{Verb: plan.Add, Object: e})
	}
	chains = append(chains, plan.Op{Verb: plan.Add, Object: plan.NewChain("network/lab", "", "caps_lab0", "drop")})
	text := script("", rows, chains)
	head, rest, _ := strings.Cut(text, program)
	if want := "table inet kvmnet\ndelete table inet kvmnet\ntable bridge kvmnet\ndelete table bridge kvmnet\n"; head != want {
		t.Errorf("begins with %q, want %q", head, want)
	}
	rest, ok := strings.CutPrefix(rest, guard)
	if !ok {
		t.Error("the table of guards does not follow")
	}
	want := `add chain inet kvmnet caps_lab0
table inet kvmnet {
chain caps_lab0 {
drop
}
}
add element bridge kvmnet claims6 { "vnet0" . 0xfe800000000000000000000000000001 }
add element inet kvmnet egress { "0a" . "eth0.1" }
add element inet kvmnet forward_range4 { tcp . 1-9 : 10.0.0.1 }
add element inet kvmnet from { "a" : jump from_open,
"b" : jump from_nat }
add element inet kvmnet gateways6 { fd00::1 }
`
	if rest != want {
		t.Errorf("ends with\n%s\nwant\n%s", rest, want)
	}
}

// Every rule that refuses is counted, and every chain a map leads to from forward
// ends in a verdict, as forward relies on it.
func TestProgramCountsRefusalsAndEndsItsChains(t *testing.T) {
	chains := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?s)\tchain (\S+) \{\n(.*?)\n\t\}\n`).FindAllStringSubmatch(program, -1) {
		for _, l := range strings.Split(m[2], "\n") {
			if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
				chains[m[1]] = append(chains[m[1]], l)
			}
		}
	}
	if len(chains) < 15 {
		t.Fatalf("found only %d chains", len(chains))
	}
	end := regexp.MustCompile(`^(accept|ct label set 107 accept|goto \S+|counter name \S+ (drop|reject with icmpx admin-prohibited))$`)
	for name, rules := range chains {
		last := rules[len(rules)-1]
		if (strings.HasPrefix(name, "from_") || strings.HasPrefix(name, "to_") || name == "permit") && !end.MatchString(last) {
			t.Errorf("chain %s ends with %q, not with a verdict", name, last)
		}
		for _, r := range rules {
			if strings.Contains(r, " drop") || strings.Contains(r, "reject") {
				if !strings.Contains(r, "counter name ") {
					t.Errorf("chain %s: %q refuses without a counter", name, r)
				}
			}
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add([]byte{8, 0, 1, 0, 'a', 'b', 'c', 0})
	f.Add([]byte{5, 0, 1, 128, 'a'})
	f.Add([]byte{255, 255, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for _, value := range attributes(b).all() {
			total += len(value) + 4
		}
		if total > len(b) {
			t.Errorf("%d bytes of attributes in %d", total, len(b))
		}
	})
}
