package libvirtxml

import (
	"errors"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

// TestPortsBecomeWhatTheScriptsSay makes every port of the scripts on the network. It
// is libvirt that says what comes of it, see TestVirshMakesPortsAsTheScriptsSay.
func TestPortsBecomeWhatTheScriptsSay(t *testing.T) {
	for _, s := range scripts(t, "port") {
		for _, step := range s.steps {
			step.did(t, s.path, portOn(t, read(t, s.network), step.line))
		}
		if *update {
			s.write(t)
		}
	}
}

// portOn reads a port and makes it one of the network. It goes through a spec, as
// every port does before it is dumped.
func portOn(t *testing.T, n *Network, text string) string {
	t.Helper()
	p, err := ReadPort([]byte(text))
	if err == nil {
		err = p.Join(n)
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return outcome(e.Message, "", "")
	case err != nil:
		t.Fatalf("%s: %T is no *Error", text, err)
	}
	dump := p.Format()
	s, _ := p.Spec(n.Name)
	if again := PortOf("unused", s, n).Format(); again != dump {
		t.Errorf("%s\nis kept as %+v, and comes back as\n%s", dump, *s, again)
	}
	return dump
}

func TestAPortOfLibvirtBecomesOneOfOurs(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       spec.Port
		notes      []string
	}{
		{
			"plain",
			"<networkport><uuid>AAAAAAAA-0000-0000-0000-000000000001</uuid><owner><name>vm1</name><uuid>00000000-0000-0000-0000-000000000000</uuid></owner><mac address='52:54:0:0:0:99'/></networkport>",
			spec.Port{Network: "lab", UUID: portUUID, Guest: "vm1", MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 0x99}},
			nil,
		},
		{
			"macvtap",
			"<networkport><uuid>" + portUUID + "</uuid><owner><name>vm1</name><uuid>00000000-0000-0000-0000-000000000000</uuid></owner><mac address='52:54:0:0:0:99'/><plug type='direct' dev='eth1' mode='bridge'/></networkport>",
			spec.Port{Network: "lab", UUID: portUUID, Guest: "vm1", MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 0x99}, Type: spec.Macvtap, Device: "eth1"},
			nil,
		},
		{
			"with all that is not ours",
			"<networkport><uuid>" + portUUID + "</uuid><owner><name>vm1</name><uuid>bbbbbbbb-0000-0000-0000-000000000001</uuid></owner><group>web</group><mac address='52:54:0:0:0:99'/>" +
				"<virtualport type='openvswitch'/><bandwidth classID='3'><inbound average='9' floor='4'/></bandwidth><vlan><tag id='3'/></vlan><port isolated='yes'/><rxfilters trustGuest='yes'/></networkport>",
			spec.Port{Network: "lab", UUID: portUUID, Guest: "vm1", MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 0x99}, Bandwidth: &spec.Bandwidth{In: spec.Limit{Rate: 72000}}, Libvirt: &spec.Libvirt{Kept: `<networkport>
  <owner>
    <uuid>bbbbbbbb-0000-0000-0000-000000000001</uuid>
  </owner>
  <group>web</group>
  <virtualport type='openvswitch'/>
  <bandwidth classID='3'>
    <inbound average='9' floor='4'/>
  </bandwidth>
  <vlan>
    <tag id='3'/>
  </vlan>
  <port isolated='yes'/>
  <rxfilters trustGuest='yes'/>
</networkport>
`}},
			[]string{"bandwidth", "vlan", "virtualport", "port", "rxfilters"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := ReadPort([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			got, notes := p.Spec("lab")
			if !equal(*got, test.want) {
				t.Errorf("%+v\nwant\n%+v", *got, test.want)
			}
			var paths []string
			for _, n := range notes {
				paths = append(paths, n.Path)
			}
			if strings.Join(paths, " ") != strings.Join(test.notes, " ") {
				t.Errorf("notes on %q, want %q", paths, test.notes)
			}
		})
	}
}

// portWith is a port with something in it.
func portWith(inside string) string {
	return "<networkport><uuid>" + portUUID + "</uuid><owner><name>vm1</name><uuid>00000000-0000-0000-0000-000000000000</uuid></owner><mac address='52:54:0:0:0:99'/>" + inside + "</networkport>"
}

// A limit that is ours is not kept, and comes back as it was written.
func TestLimitsOfPortsOfLibvirtAreOurs(t *testing.T) {
	n := read(t, "<network><name>lab</name><bridge name='lab0'/><bandwidth><inbound average='5000'/></bandwidth></network>")
	const mbit = 1e6
	for _, test := range []struct {
		bandwidth string
		want      *spec.Bandwidth
		kept      bool
		notes     int
	}{
		{"<inbound average='125' peak='250' burst='64'/><outbound average='1250'/>", &spec.Bandwidth{In: spec.Limit{Rate: mbit, Peak: 2 * mbit, Burst: 64 << 10}, Out: spec.Limit{Rate: 10 * mbit}}, false, 0},
		{"<outbound average='1250' burst='7'/>", &spec.Bandwidth{Out: spec.Limit{Rate: 10 * mbit, Burst: 7 << 10}}, false, 0},
		{"<inbound average='125' floor='100'/>", &spec.Bandwidth{In: spec.Limit{Rate: mbit}}, true, 1},
		{"<inbound floor='100'/>", nil, true, 1},
		{"<inbound average='0'/>", nil, true, 0},
		{"<inbound average='999999999999'/>", &spec.Bandwidth{In: spec.Limit{Rate: 1e12}}, true, 0}, // the most that a limit can say
		{"", nil, false, 0},
	} {
		p, err := ReadPort([]byte(portWith("<bandwidth>" + test.bandwidth + "</bandwidth>")))
		if err == nil {
			err = p.Join(n)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, notes := p.Spec("lab")
		if !equal(s.Bandwidth, test.want) || (s.Libvirt != nil) != test.kept || len(notes) != test.notes {
			t.Errorf("%s: got %+v, kept %+v, %q", test.bandwidth, s.Bandwidth, s.Libvirt, notes)
		}
		if got, want := PortOf("", s, n).Format(), p.Format(); got != want {
			t.Errorf("%s: comes back as\n%s\nwant\n%s", test.bandwidth, got, want)
		}
	}
}

// The spec is the truth: a limit that was changed since is dumped as it is now.
func TestLimitsThatChangedAreDumpedAsTheyAre(t *testing.T) {
	n := read(t, "<network><name>lab</name><bridge name='lab0'/></network>")
	for _, test := range []struct {
		kept string
		now  *spec.Bandwidth
		want string
	}{
		{"", &spec.Bandwidth{In: spec.Limit{Rate: 8000}}, "<bandwidth>\n    <inbound average='1'/>\n  </bandwidth>"},
		{"<inbound average='7' floor='3'/><outbound average='9'/>", &spec.Bandwidth{In: spec.Limit{Rate: 16000}}, "<bandwidth>\n    <inbound average='2' floor='3'/>\n  </bandwidth>"},
		{"<inbound average='7' floor='3'/>", &spec.Bandwidth{Out: spec.Limit{Rate: 16000}}, "<bandwidth>\n    <outbound average='2'/>\n  </bandwidth>"},
		{"<inbound average='7' floor='3'/>", nil, ""},
	} {
		s := &spec.Port{UUID: portUUID, Bandwidth: test.now, Libvirt: &spec.Libvirt{Kept: "<networkport><bandwidth>" + test.kept + "</bandwidth></networkport>"}}
		got := PortOf("vm1", s, n).Format()
		if test.want == "" && strings.Contains(got, "bandwidth") || !strings.Contains(got, test.want) {
			t.Errorf("%s, now %+v, is dumped as\n%s", test.kept, test.now, got)
		}
	}
}

// Libvirt limits a macvtap at its device; kvmnet limits ports of bridges.
func TestLimitsOfAMacvtapAreKept(t *testing.T) {
	n := read(t, "<network><name>lab</name><forward mode='bridge' dev='eth1'/></network>")
	p, err := ReadPort([]byte(portWith("<bandwidth><inbound average='9'/></bandwidth>")))
	if err == nil {
		err = p.Join(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, notes := p.Spec("lab")
	if s.Bandwidth != nil || s.Libvirt == nil || len(notes) != 1 || notes[0].Message != "<bandwidth> is kept, but not supported here, because limits are for ports of bridges, not for a macvtap" {
		t.Errorf("got %+v, kept %+v, %q", s.Bandwidth, s.Libvirt, notes)
	}
	if got := PortOf("", s, n).Format(); got != p.Format() {
		t.Errorf("comes back as\n%s", got)
	}
}

func TestAPortOfOursIsDumpedAsOneOfLibvirt(t *testing.T) {
	for _, test := range []struct {
		name, network string
		port          spec.Port
		plug          string
	}{
		{"on a bridge of ours", "<network><name>lab</name><bridge name='lab0'/></network>", spec.Port{}, "<plug type='network' bridge='lab0'/>"},
		{"on a bridge of the host", "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/></network>", spec.Port{}, "<plug type='bridge' bridge='br0'/>"},
		{"on a NIC", "<network><name>lab</name><forward mode='vepa' dev='eth0'/></network>", spec.Port{Type: spec.Macvtap, Device: "eth7"}, "<plug type='direct' dev='eth7' mode='vepa'/>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.port.UUID, test.port.MAC = strings.ToUpper(portUUID), spec.MAC{0x52, 0x54, 0, 0, 0, 0x99}
			want := `<networkport>
  <uuid>` + portUUID + `</uuid>
  <owner>
    <name>vm1-0</name>
    <uuid>00000000-0000-0000-0000-000000000000</uuid>
  </owner>
  <mac address='52:54:00:00:00:99'/>
  ` + test.plug + `
</networkport>
`
			if got := PortOf("vm1-0", &test.port, read(t, test.network)).Format(); got != want {
				t.Errorf("%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestWhatAPortSaysInVainIsTold(t *testing.T) {
	p, err := ReadPort([]byte("<networkport><uuid>" + portUUID + "</uuid>\n<owner><name>vm1</name><uuid>" + portUUID + "</uuid></owner><mac address='52:54:0:0:0:99' adress='x'/>\n<vlna/><group>a</group><group>b</group></networkport>"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range p.Notes {
		n.File = "port.xml"
		got = append(got, n.String())
	}
	want := []string{
		"port.xml:2:111: mac@adress: adress of <mac> is ignored, libvirt does not know it here\nhint: did you mean address?",
		"port.xml:3:1: vlna: <vlna> is ignored, libvirt does not know it here\nhint: did you mean vlan?",
		"port.xml:3:24: group: <group> is ignored, the first one counts\nhint: remove it",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPortsAreSpreadOverTheNICsOfANetwork(t *testing.T) {
	n := read(t, "<network><name>lab</name><forward mode='bridge'><interface dev='eth0'/><interface dev='eth1'/></forward></network>")
	n.Forward.Interfaces[0].Connections = 2
	p := &Port{}
	if err := p.Join(n); err != nil || p.Plug.Dev != "eth1" {
		t.Errorf("plugged into %+v: %v", p.Plug, err)
	}
}

func TestSomeModesLeaveANICToOnePort(t *testing.T) {
	n := read(t, "<network><name>lab</name><forward mode='passthrough'><interface dev='eth0'/></forward></network>")
	n.Forward.Interfaces[0].Connections = 1
	// As virsh 9.0 says when a second port is made.
	const want = "internal error: network 'lab' requires exclusive access to interfaces, but none are available"
	if err := (&Port{}).Join(n); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestAPortThatCannotJoinStaysAsItIs(t *testing.T) {
	n := read(t, "<network><name>lab</name><bridge name='lab0'/><portgroup name='web' default='yes' trustGuestRxFilters='yes'/></network>")
	p := &Port{Bandwidth: &Bandwidth{In: &Limit{Floor: 5}}}
	before := p.Format()
	if err := p.Join(n); err == nil || p.Format() != before {
		t.Errorf("%v, and the port is\n%s", err, p.Format())
	}
}

// What people make of what was kept is no reason to show nothing of a port.
func TestWhatWasKeptOfAPortAndCannotBeReadIsLeftOut(t *testing.T) {
	n := read(t, "<network><name>lab</name><bridge name='lab0'/></network>")
	for _, kept := range []string{"<networkport>", "<network/>", "<networkport><vlan/></networkport>"} {
		s := &spec.Port{UUID: portUUID, Guest: "vm1", Libvirt: &spec.Libvirt{Kept: kept}}
		if p := PortOf("vm1", s, n); p.Plug == nil || p.UUID != portUUID {
			t.Errorf("%s: %+v", kept, p)
		}
	}
}

func FuzzReadPort(f *testing.F) {
	files, n := scripts(f, "port"), &Network{Name: "lab", Bridge: &Bridge{Name: "lab0"}}
	for _, s := range files {
		for _, step := range s.steps {
			f.Add(step.line)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadPort([]byte(text))
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("%#v tells nothing", err)
			}
			return
		}
		dump := p.Format()
		again, err := ReadPort([]byte(dump))
		if err != nil || again.Format() != settled(dump) {
			t.Fatalf("%v\n%s\nis read again as\n%+v", err, dump, again)
		}
		if p.Join(n) != nil {
			return
		}
		s, _ := p.Spec("lab")
		if back, joined := PortOf("", s, n).Format(), p.Format(); back != joined {
			t.Fatalf("%s\ncomes back from a spec as\n%s", joined, back)
		}
	})
}
