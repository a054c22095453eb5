package manage

import (
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

const portUUID = "7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f01"

func portXML(uuid, owner, mac string) string {
	return "<networkport>\n  <uuid>" + uuid + "</uuid>\n  <owner>\n    <name>" + owner + "</name>\n    <uuid>11111111-1111-4111-8111-1111111111aa</uuid>\n  </owner>\n" +
		"  <mac address='" + mac + "'/>\n</networkport>\n"
}

func (r *rig) addXML(network, text string) (api.Port, error) {
	return r.AddPortXML(r.t.Context(), network, api.DefineRequest{File: api.File{Name: "p.xml", Text: text}})
}

// The dump is that of virsh 9.0 for the same port, and there is a device for the guest.
func TestPortInLibvirtsWordsGetsADevice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.xml(defaultXML)
	r.ok(r.Start(t.Context(), "default"))
	text := portXML(portUUID, "vm", "52:54:00:7b:35:93")
	p, err := r.addXML("aaaaaaaa-0000-4000-8000-000000000001", text)
	r.ok(err)
	if p.Name != "vm" || p.Spec.UUID != portUUID || p.Spec.Guest != "vm" || p.Spec.Type != spec.Tap || p.Status.State != "up" {
		t.Errorf("made %+v, %+v", p.Spec, p.Status)
	}
	r.plugged("vm", "virbr0")
	want := strings.Replace(text, "</networkport>", "  <plug type='network' bridge='virbr0'/>\n</networkport>", 1)
	for _, name := range []string{"vm", portUUID, strings.ToUpper(portUUID)} {
		if got, err := r.PortXML(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: got %v\n%s\nwant\n%s", name, err, got, want)
		}
	}
	second, err := r.addXML("default", portXML("7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f02", "vm", "52:54:00:7b:35:94"))
	r.ok(err)
	if second.Name != "7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f02" || second.Status.State != "up" {
		t.Errorf("a second one of the guest is %+v", second)
	}
	if running, _ := r.disk.Running(); len(running.Ports) != 2 {
		t.Errorf("transient are %v", running.Ports)
	}
	r.untouched(func() { // although a port is called so
		for _, owner := range []string{"vm", "web"} {
			_, err := r.addXML("default", portXML("7AE8B3A2-51e2-41e5-9f55-9c4d8b1d6f02", owner, "52:54:00:7b:35:95"))
			r.said(err, api.ReasonUUIDTaken, "network port Network port with UUID 7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f02 already exists exists already")
		}
	})
	r.ok(r.Delete(t.Context(), "port", portUUID))
	r.gone("vm")
	r.settled()
}

// What a port or its portgroup says of limits is the port's, and dumped again.
func TestPortInLibvirtsWordsHasItsLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.xml(xmlOf("lab", "<bridge name='lab0'/><portgroup name='slow'><bandwidth><outbound average='125'/></bandwidth></portgroup>"))
	r.ok(r.Start(t.Context(), "lab"))
	mbit := func(in, out spec.Rate) *spec.Bandwidth {
		return &spec.Bandwidth{In: spec.Limit{Rate: in * 1e6}, Out: spec.Limit{Rate: out * 1e6}}
	}
	for i, test := range []struct {
		says, dumped string
		want         *spec.Bandwidth
	}{
		{"<bandwidth><inbound average='250'/></bandwidth>", "<inbound average='250'/>", mbit(2, 0)},
		{"<group>slow</group>", "<outbound average='125'/>", mbit(0, 1)},
		{"", "</networkport>", nil},
	} {
		id := portUUID[:len(portUUID)-1] + string(rune('1'+i))
		text := strings.Replace(portXML(id, "vm"+id[35:], "52:54:00:7b:35:0"+id[35:]), "</networkport>", test.says+"</networkport>", 1)
		p, err := r.addXML("lab", text)
		r.ok(err)
		if got := p.Spec.Bandwidth; (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: the limits are %+v, want %+v", test.says, got, test.want)
		}
		if dump, err := r.PortXML(t.Context(), id); err != nil || !strings.Contains(dump, test.dumped) || (test.want == nil) == strings.Contains(dump, "bandwidth") {
			t.Errorf("%s: it is dumped, %v, as\n%s", test.says, err, dump)
		}
	}
}

// A port of a network on NICs of the host is put on the one that has the fewest, and
// that is how the network and the port are dumped.
func TestPortInLibvirtsWordsGetsANIC(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.add(stranger("eth1", "device"), stranger("eth2", "device"))
	r.xml(xmlOf("lan", "<forward mode='bridge'><interface dev='eth1'/><interface dev='eth2'/></forward>"))
	r.ok(r.Start(t.Context(), "lan"))
	for i, want := range []string{"eth1", "eth2", "eth1"} {
		id := portUUID[:len(portUUID)-1] + string(rune('1'+i))
		p, err := r.addXML("lan", portXML(id, "vm"+id[35:], "52:54:00:7b:35:0"+id[35:]))
		r.ok(err)
		if p.Spec.Type != spec.Macvtap || p.Spec.Device != want {
			t.Errorf("port %d is on %+v, want %s", i, p.Spec, want)
		}
		if text, err := r.PortXML(t.Context(), id); err != nil || !strings.Contains(text, "<plug type='direct' dev='"+want+"' mode='bridge'/>") {
			t.Errorf("port %d is dumped, %v, as\n%s", i, err, text)
		}
		if l, there := r.host.link(p.Spec.Interface); !there || l.Type != "macvtap" {
			t.Errorf("the device of port %d is %+v", i, l)
		}
	}
	if got := r.dump("lan", false); !strings.Contains(got, "<network connections='3'>") || !strings.Contains(got, "    <interface dev='eth1' connections='2'/>\n    <interface dev='eth2' connections='1'/>\n") {
		t.Errorf("the network is dumped as\n%s", got)
	}
}

func TestPortXMLThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.xml(defaultXML)
	r.ok(r.Start(t.Context(), "default"))
	r.apply("networks: {off: {mode: isolated, autostart: false}, od: {mode: isolated, onDemand: true}}")
	good := portXML(portUUID, "vm", "52:54:00:7b:35:93")
	_, err := r.addXML("default", good)
	r.ok(err)
	r.untouched(func() {
		_, err := r.addXML("default", good)
		r.said(err, api.ReasonUUIDTaken, "network port Network port with UUID "+portUUID+" already exists exists already")
		_, err = r.addXML("default", "<networkport><owner><name>vm</name><uuid>11111111-1111-4111-8111-1111111111aa</uuid></owner><mac address='52:54:00:7b:35:99'/></networkport>")
		r.said(err, api.ReasonXML, "internal error: network port has no uuid")
		_, err = r.addXML("off", "<networkport/>")
		r.said(err, api.ReasonXML, "internal error: network port has no uuid")
		_, err = r.addXML("off", portXML("7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f03", "x", "52:54:00:7b:35:95"))
		r.said(err, api.ReasonInactive, "network off does not run")
		_, err = r.addXML("nil", portXML("7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f03", "x", "52:54:00:7b:35:95"))
		r.said(err, api.ReasonNoNetwork, "no network named nil")
		_, err = r.PortXML(t.Context(), "7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f03")
		r.said(err, api.ReasonNoPort, "no port named 7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f03")
	})
	_, err = r.addXML("od", portXML("7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f04", "../x", "52:54:00:7b:35:96"))
	r.ok(err)
	r.is("od", "running persistent")
}

// Every port has a UUID, and keeps it and its guest when it is applied anew.
func TestPortsKeepTheirUUID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab, guest: web}}")
	one := r.add("~vm2 lab")
	w, err := r.world()
	r.ok(err)
	id := w.defined.Ports["vm1"].UUID
	if plainUUID(id) == "" || plainUUID(one.Spec.UUID) == "" || id == one.Spec.UUID {
		t.Errorf("the UUIDs are %q and %q", id, one.Spec.UUID)
	}
	r.apply("ports: {vm1: {network: lab, addresses: [10.0.0.1]}}")
	if w, _ = r.world(); w.defined.Ports["vm1"].UUID != id || w.defined.Ports["vm1"].Guest != "web" {
		t.Errorf("applied anew it is %+v", w.defined.Ports["vm1"])
	}
	text, err := r.PortXML(t.Context(), "vm1")
	r.ok(err)
	if !strings.Contains(text, "<uuid>"+id+"</uuid>") || !strings.Contains(text, "<name>web</name>") || !strings.Contains(text, "<plug type='network' bridge='lab'/>") {
		t.Errorf("in libvirt's words it is\n%s", text)
	}
}
