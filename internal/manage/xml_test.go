package manage

import (
	"errors"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// dump prints a network as net-dumpxml does.
func (r *rig) dump(name string, inactive bool) string {
	r.t.Helper()
	text, err := r.NetworkXML(r.t.Context(), name, inactive)
	r.ok(err)
	return text
}

const defaultXML = `<network>
  <name>default</name>
  <uuid>aaaaaaaa-0000-4000-8000-000000000001</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:00:00:99'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
`

// The dumps are those of virsh 9.0.
func TestDumpsOfARunningNetworkAndOfItsDefinition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.xml(defaultXML)
	if got := r.dump("default", false); got != defaultXML {
		t.Errorf("defined:\n%s", got)
	}
	r.ok(r.Start(t.Context(), "default"))
	ports := "<forward mode='nat'>\n    <nat>\n      <port start='1024' end='65535'/>\n    </nat>\n  </forward>"
	running := strings.Replace(defaultXML, "<forward mode='nat'/>", ports, 1)
	if got := r.dump("default", false); got != running {
		t.Errorf("running:\n%s", got)
	}
	if got := r.dump("default", true); got != defaultXML {
		t.Errorf("next:\n%s", got)
	}
	r.add("~vm1 default")
	r.add("~vm2 default")
	if got := r.dump("aaaaaaaa-0000-4000-8000-000000000001", false); got != strings.Replace(running, "<network>", "<network connections='2'>", 1) {
		t.Errorf("with two guests:\n%s", got)
	}
	r.xml(strings.Replace(defaultXML, "virbr0", "other", 1))
	if got := r.dump("default", true); got != strings.Replace(defaultXML, "virbr0", "other", 1) {
		t.Errorf("next, defined anew:\n%s", got)
	}
	r.ok(r.Undefine(t.Context(), "default"))
	if got := r.dump("default", true); got != running {
		t.Errorf("transient, what is next:\n%s", got)
	}
	_, err := r.NetworkXML(t.Context(), "nil", false)
	r.refused(err, api.CodeNotFound, "no network named nil")
}

// libvirt fills in the source ports where it translates: for IPv6 only where asked.
func TestDumpsOfRunningNetworksOfIPv6(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct{ name, nat, running string }{
		{"plain", "<forward mode='nat'/>", "<forward mode='nat'/>"},
		{"asked", "<forward mode='nat'><nat ipv6='yes'/></forward>",
			"<forward mode='nat'>\n    <nat ipv6='yes'>\n      <port start='1024' end='65535'/>\n    </nat>\n  </forward>"},
		{"denied", "<forward mode='nat'><nat ipv6='no'/></forward>", "<forward mode='nat'>\n    <nat ipv6='no'/>\n  </forward>"},
	} {
		r.xml("<network><name>" + c.name + "</name>" + c.nat + "<bridge name='" + c.name + "'/><ip family='ipv6' address='fd00:1::1' prefix='64'/></network>")
		r.ok(r.Start(t.Context(), c.name))
		if got := r.dump(c.name, false); !strings.Contains(got, "\n  "+c.running+"\n") {
			t.Errorf("%s:\n%s", c.name, got)
		}
		r.ok(errors.Join(r.Stop(t.Context(), c.name), r.Undefine(t.Context(), c.name)))
	}
}

// What the definition leaves to the host is as the host has it.
func TestDumpOfANetworkThatIsDefinedInYAML(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated, uuid: aaaaaaaa-0000-4000-8000-000000000001, subnets: [{address: 10.2.0.1/24}]}}")
	l, _ := r.host.link("lab")
	want := "<network>\n  <name>lab</name>\n  <uuid>aaaaaaaa-0000-4000-8000-000000000001</uuid>\n  <bridge name='lab' stp='off' delay='0'/>\n  <mac address='" + l.MAC.String() + "'/>\n"
	if got := r.dump("lab", false); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := r.dump("lab", true); strings.Contains(got, "<mac") {
		t.Errorf("the definition is\n%s", got)
	}
	// The dump defines the same network elsewhere.
	other := newRig(t)
	n := other.xml(r.dump("lab", true))
	if n.Spec.Mode != spec.Isolated || len(n.Spec.Subnets) != 1 || n.Spec.Bridge.Name != "lab" || n.Spec.Bridge.STP {
		t.Errorf("defined elsewhere it is %+v", n.Spec)
	}
}

// A network that leaves the source ports open as kvmnet does says so; one of IPv6 only
// has none.
func TestDumpOfSourcePorts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.xml(xmlOf("six", "<forward mode='nat'/><ip family='ipv6' address='fd00:7::1' prefix='64'/>"))
	r.ok(r.Start(t.Context(), "six"))
	if got := r.dump("six", false); strings.Contains(got, "<port") {
		t.Errorf("an IPv6 network has IPv4 ports:\n%s", got)
	}
	r.xml(xmlOf("nine", "<forward mode='nat'><nat><port start='500' end='1000'/></nat></forward><ip address='10.9.0.1' prefix='24'/>"))
	r.ok(r.Start(t.Context(), "nine"))
	if got := r.dump("nine", false); !strings.Contains(got, "<port start='500' end='1000'/>") {
		t.Errorf("its own ports are gone:\n%s", got)
	}
}
