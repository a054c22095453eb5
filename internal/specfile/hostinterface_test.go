package specfile

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const interfaceYAML = `name: br0
type: bridge
start: onboot
mtu: 9000
ipv4:
    dhcp: true
    peerDNS: false
    addresses: [192.0.2.7/24, 10.0.0.5/32]
    routes:
        - {to: 0.0.0.0/0, via: 192.0.2.1, metric: 100}
        - {to: 10.9.0.0/16, via: 10.0.0.1, onLink: true, source: 10.0.0.5}
    dns: [192.0.2.53]
    search: [example.org]
ipv6:
    autoconf: true
bridge:
    stp: true
    delay: 4s
    ports:
        - name: bond0
          type: bond
          bond:
            mode: 802.3ad
            mii: {every: 100, carrier: ioctl}
            ports:
                - name: eth0
                  mac: 52:54:00:01:02:03
`

func TestAnInterfaceReadsBackWhatItPrints(t *testing.T) {
	t.Parallel()
	f, problems := ParseInterface("br0.yaml", []byte(interfaceYAML))
	if all := f.Validate(); problems != nil || all != nil {
		t.Fatalf("%v %v", problems, report(all))
	}
	text := FormatInterface(&f.Interface)
	again, problems := ParseInterface("again.yaml", text)
	if diff := cmp.Diff(f.Interface, again.Interface, equalSpecs); diff != "" || problems != nil {
		t.Errorf("%v\n%s\n%s", problems, diff, text)
	}
	if second := FormatInterface(&again.Interface); string(second) != string(text) {
		t.Errorf("formatted twice:\n%s\n%s", text, second)
	}
}

func TestFaultsOfAnInterfaceHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name: eth0\nadresses: [x]\nipv4: {dhcp: yes, addresses: [10.0.0.1]}\nmtu: 5\n": `e.yaml:2:1: unknown key "adresses"
   2 | adresses: [x]
     | ^
hint: the keys here are name, type, start, mac, mtu, ipv4, ipv6, bridge, bond, vlan
e.yaml:3:14: ipv4.dhcp: "yes" is not a boolean
   3 | ipv4: {dhcp: yes, addresses: [10.0.0.1]}
     |              ^
hint: write true
e.yaml:3:31: ipv4.addresses[0]: "10.0.0.1" has no prefix length
   3 | ipv4: {dhcp: yes, addresses: [10.0.0.1]}
     |                               ^
hint: write for instance 10.0.0.1/24
e.yaml:4:6: mtu: the MTU 5 is outside 68 to 65535
   4 | mtu: 5
     |      ^
`,
		"name: br0\nbridge:\n  ports:\n    - {name: br0}\n    - {nane: x}\n": `e.yaml:4:14: bridge.ports[0].name: br0 cannot be a port of itself
   4 |     - {name: br0}
     |              ^
e.yaml:5:8: bridge.ports[1]: unknown key "nane"
   5 |     - {nane: x}
     |        ^
hint: did you mean name?
`,
		"":                        "e.yaml: the file defines nothing\nhint: begin with one of: name, type, start, mac, mtu, ipv4, ipv6, bridge, bond, vlan\n",
		"name: a\n---\nname: b\n": "e.yaml:3:1: the file has a second document\n   3 | name: b\n     | ^\nhint: write one object in each file\n",
		"[]": `e.yaml:1:1: a mapping is needed, not a list
   1 | []
     | ^
hint: begin with one of: name, type, start, mac, mtu, ipv4, ipv6, bridge, bond, vlan
`,
	} {
		f, _ := ParseInterface("e.yaml", []byte(text))
		if diff := cmp.Diff(want, report(f.Validate())); diff != "" {
			t.Errorf("%q:\n%s", text, diff)
		}
	}
}

// What the documentation shows of an interface can be defined.
func TestDocumentedInterfaceIsValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/interfaces.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	f, _ := ParseInterface("interfaces.md", []byte(block))
	if problems := f.Validate(); !found || problems != nil {
		t.Error(report(problems))
	}
}

func FuzzParseInterface(f *testing.F) {
	f.Add([]byte(interfaceYAML))
	f.Add([]byte("name: x\nvlan: {tag: 5, on: eth0}\nbond:\n"))
	f.Add([]byte("bond: {mii: , arp: {target: ::1}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, problems := ParseInterface("fuzz.yaml", text)
		all := file.Validate()
		if len(problems) > len(all) {
			t.Fatalf("Validate loses problems of reading: %v, then %v", problems, all)
		}
		if len(all) > 0 {
			return
		}
		i := file.Interface
		for range 2 {
			again, problems := ParseInterface("again.yaml", FormatInterface(&i))
			if diff := cmp.Diff(i, again.Interface, equalSpecs); diff != "" || problems != nil {
				t.Fatalf("%v\n%s", problems, diff)
			}
			i.Default()
		}
		if problems := i.Validate(); problems != nil {
			t.Fatalf("valid before Default, not after: %v", problems)
		}
	})
}
