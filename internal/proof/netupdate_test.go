package proof

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// updated is the network that updates change while its guests talk.
const updated = `<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='virbr50'/>
  <mac address='52:54:00:50:50:50'/>
  <domain name='lab.internal'/>
  <ip address='192.168.50.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.50.100' end='192.168.50.150'/>
      <host mac='52:54:00:00:00:01' name='one' ip='192.168.50.31'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:50::1' prefix='64'/>
  <portgroup name='slow'>
    <bandwidth><inbound average='100'/></bandwidth>
  </portgroup>
</network>
`

// change is an update, what is said of it, and what the dumps have after it: behind
// + a text that is to be in, behind - one that is not.
type change struct {
	args         string
	said         string // which copies were changed, or "error: …"
	live, config string
}

const (
	both       = "persistent config and live state"
	configOnly = "persistent config"
	liveOnly   = "live state"
)

func invalid(format string, args ...any) string {
	return "error: Requested operation is not valid: " + fmt.Sprintf(format, args...)
}

// changes are made one after the other on the running network.
var changes = []change{
	// Reservations.
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:02' name='two' ip='192.168.50.32'/>" --live --config`, both, "+name='two'", "+name='two'"},
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:03' name='three' ip='192.168.50.33'/>" --live`, liveOnly, "+name='three'", "-name='three'"},
	{`add-first ip-dhcp-host "<host mac='52:54:00:00:00:04' name='four' ip='192.168.50.34'/>" --config`, configOnly, "-name='four'", "+name='four'"},
	{`add-last ip-dhcp-host "<host mac='52:54:00:00:00:05' name='five' ip='192.168.50.35'/>"`, liveOnly, "+name='five'", "-name='five'"},
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:06' name='six' ip='192.168.50.36'/>" --current`, liveOnly, "+name='six'", "-name='six'"},
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:07' ip='192.168.50.37'><lease expiry='3' unit='hours'/></host>" --live --config --parent-index 0`, both, "+<lease expiry='3' unit='hours'/>", "+192.168.50.37"},
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:02' ip='192.168.50.99'/>" --live`, invalid(`there is an existing dhcp host entry in network 'lab' that matches "<host mac='52:54:00:00:00:02' name='(null)' ip='192.168.50.99'/>"`), "-192.168.50.99", "-192.168.50.99"},
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:08'/>" --live`, "error: XML error: Missing IP address in static host definition for network 'lab'", "-00:00:08", ""},
	{`add ip-dhcp-host "<host ip='192.168.50.38'/>" --live --config`, "error: XML error: Static host definition in IPv4 network 'lab' must have mac or name attribute", "-192.168.50.38", "-192.168.50.38"},
	{`add ip-dhcp-host "<range/>" --live`, "error: XML error: unexpected element <range>, expecting <host>, while updating network 'lab'", "", ""},
	{`add ip-dhcp-host "<host mac='52:54:00:00:00:08' ip='192.168.50.38'/>" --live --parent-index 7`, invalid("couldn't update dhcp host entry - no <ip> element found at index 7 in network 'lab'"), "", ""},
	{`add ip-dhcp-host "<host name='v6' ip='fd00:50::35'/>" --live --config --parent-index 1`, both, "+fd00:50::35", "+fd00:50::35"},
	{`modify ip-dhcp-host "<host mac='52:54:00:00:00:01' name='uno' ip='192.168.50.41'/>" --live --config`, both, "+name='uno'", "+192.168.50.41"},
	{`modify ip-dhcp-host "<host mac='52:54:00:00:00:03' name='three' ip='192.168.50.43'/>" --config`, invalid(`couldn't locate an existing dhcp host entry with "mac='52:54:00:00:00:03'" "name='three'" "ip='192.168.50.43'" in network 'lab'`), "-192.168.50.43", "-192.168.50.43"},
	{`modify ip-dhcp-host "<host mac='52:54:00:00:00:03' name='three' ip='192.168.50.43'/>" --live`, liveOnly, "+192.168.50.43", "-192.168.50.43"},
	{`delete ip-dhcp-host "<host name='three'/>" --live`, liveOnly, "-name='three'", "-name='three'"},
	{`delete ip-dhcp-host "<host name='three'/>" --live`, invalid("couldn't locate a matching dhcp host entry in network 'lab'"), "", ""},
	{`delete ip-dhcp-host "<host mac='52:54:00:00:00:02'/>" --live --config`, both, "-name='two'", "-name='two'"},
	{`delete ip-dhcp-host "<host/>" --config`, "error: XML error: At least one of name, mac, or ip attribute must be specified for static host definition in network 'lab' ", "", ""},

	// Ranges.
	{`add ip-dhcp-range "<range start='192.168.50.160' end='192.168.50.170'/>" --live --config`, both, "+192.168.50.160", "+192.168.50.160"},
	{`add-first ip-dhcp-range "<range start='192.168.50.180' end='192.168.50.190'><lease expiry='30'/></range>" --live`, liveOnly, "+<lease expiry='30' unit='minutes'/>", "-192.168.50.180"},
	{`add ip-dhcp-range "<range start='192.168.50.160' end='192.168.50.170'/>" --live`, invalid(`there is an existing dhcp range entry in network 'lab' that matches "<range start='192.168.50.160' end='192.168.50.170'/>"`), "", ""},
	{`add ip-dhcp-range "<range start='192.168.50.99' end='192.168.50.90'/>" --live`, "error: internal error: range 192.168.50.99 - 192.168.50.90 is reversed ", "", ""},
	{`add ip-dhcp-range "<range start='10.0.0.1' end='10.0.0.2'/>" --config`, "error: internal error: range 10.0.0.1 - 10.0.0.2 is not entirely within network 192.168.50.1/24", "", "-10.0.0.1"},
	{`modify ip-dhcp-range "<range start='192.168.50.160' end='192.168.50.175'/>" --live`, "error: Operation not supported: dhcp ranges cannot be modified, only added or deleted", "", ""},
	{`delete ip-dhcp-range "<range start='192.168.50.180' end='192.168.50.190'/>" --live`, liveOnly, "-192.168.50.180", ""},
	{`delete ip-dhcp-range "<range start='192.168.50.160' end='192.168.50.170'/>" --live --config`, both, "-192.168.50.160", "-192.168.50.160"},
	{`add ip-dhcp-range "<range start='fd00:50::100' end='fd00:50::1ff'/>" --live --config --parent-index 1`, both, "+fd00:50::1ff", "+fd00:50::1ff"},

	// Names.
	{`add dns-host "<host ip='192.168.50.5'><hostname>a</hostname><hostname>aa</hostname></host>" --live --config`, both, "+<hostname>aa</hostname>", "+<hostname>aa</hostname>"},
	{`add-first dns-host "<host ip='192.168.50.6'><hostname>b</hostname></host>" --config`, configOnly, "-<hostname>b<", "+<hostname>b<"},
	{`add dns-host "<host ip='192.168.50.5'><hostname>c</hostname></host>" --live`, invalid("there is already at least one DNS HOST record with a matching field in network lab"), "-<hostname>c<", ""},
	{`add dns-host "<host ip='192.168.50.7'/>" --live`, "error: Missing hostname in network 'lab' DNS HOST record", "", ""},
	{`modify dns-host "<host ip='192.168.50.5'><hostname>c</hostname></host>" --live`, "error: Operation not supported: DNS HOST records cannot be modified, only added or deleted", "", ""},
	{`delete dns-host "<host ip='192.168.50.5'/>" --live --config`, both, "-192.168.50.5'", "-192.168.50.5'"},
	{`delete dns-host "<host ip='192.168.50.5'/>" --live`, invalid("couldn't locate a matching DNS HOST record in network lab"), "", ""},
	{`add dns-txt "<txt name='t' value='one two'/>" --live --config`, both, "+one two", "+one two"},
	{`add dns-txt "<txt name='t' value='again'/>" --live`, invalid("there is already a DNS TXT record with name 't' in network lab"), "-again", ""},
	{`add dns-txt "<txt value='again'/>" --live`, "error: missing required name attribute in DNS TXT record of network lab", "", ""},
	{`delete dns-txt "<txt name='t'/>" --live`, liveOnly, "-one two", "+one two"},
	{`add dns-srv "<srv service='sip' protocol='udp' domain='lab.internal' target='pbx' port='5060'/>" --live --config`, both, "+pbx", "+pbx"},
	{`add dns-srv "<srv service='sip' protocol='udp' domain='lab.internal' target='pbx' port='5060'/>" --live`, invalid("there is already at least one DNS SRV record matching all specified fields in network lab"), "", ""},
	{`delete dns-srv "<srv service='sip'/>" --live --config`, both, "-pbx", "-pbx"},
	{`add dns-forwarder "<forwarder domain='corp.example' addr='192.0.2.1'/>" --live --config`, both, "+corp.example", "+corp.example"},
	{`delete dns-forwarder "<forwarder domain='corp.example'/>" --live --config`, both, "-corp.example", "-corp.example"},

	// Classes of ports.
	{`add portgroup "<portgroup name='fast'/>" --live --config`, both, "+name='fast'", "+name='fast'"},
	{`add portgroup "<portgroup name='fast'/>" --live`, invalid("there is an existing portgroup entry in network 'lab' that matches \"<portgroup name='fast'>\""), "", ""},
	{`modify portgroup "<portgroup name='slow'><bandwidth><inbound average='200'/></bandwidth></portgroup>" --live --config`, both, "+average='200'", "+average='200'"},
	{`modify portgroup "<portgroup name='nosuch'/>" --live`, invalid("couldn't find a portgroup entry in network 'lab' matching <portgroup name='nosuch'>"), "", ""},
	{`delete portgroup "<portgroup name='fast'/>" --live --config`, both, "-name='fast'", "-name='fast'"},

	// What virsh always refuses, and what it does not know.
	{`modify domain "<domain name='new.internal' localOnly='yes'/>" --live --config`, both, "+new.internal", "+new.internal"},
	{`modify bridge "<bridge name='virbr50' stp='off' delay='0'/>" --live --config`, both, "+stp='off'", "+stp='off'"},
	{`add ip "<ip address='192.168.51.1' netmask='255.255.255.0'/>" --live --config`, both, "+192.168.51.1", "+192.168.51.1"},
	{`add ip "<ip address='192.168.51.1' netmask='255.255.255.0'/>" --live`, "error: ", "", ""},
	{`delete ip "<ip address='192.168.51.1'/>" --live --config`, both, "-192.168.51.1", "-192.168.51.1"},
	{`add route "<route address='10.40.0.0' prefix='16' gateway='192.168.50.7'/>" --live --config`, both, "+10.40.0.0", "+10.40.0.0"},
	{`delete route "<route address='10.40.0.0' prefix='16' gateway='192.168.50.7'/>" --live --config`, both, "-10.40.0.0", "-10.40.0.0"},
	{`add nat "<nat><port start='2000' end='60000'/></nat>" --live --config`, both, "+start='2000'", "+start='2000'"},
	{`modify nat "<nat ipv6='yes'><port start='1024' end='65535'/></nat>" --live`, liveOnly, "+ipv6='yes'", "-ipv6='yes'"},
	{`delete nat "<nat/>" --live`, liveOnly, "-ipv6='yes'", "+start='2000'"},
	{`modify nat "<nat><address start='192.0.2.2' end='192.0.2.2'/></nat>" --config`, configOnly, "-192.0.2.2", "+192.0.2.2"},
	{`modify forward "<forward mode='route'/>" --config`, configOnly, "+mode='nat'", "+mode='route'"},
	{`modify forward "<forward mode='nat'/>" --config`, configOnly, "+mode='nat'", "+mode='nat'"},
	{`modify mac "<mac address='52:54:00:50:50:51'/>" --live --config`, both, "+50:50:51", "+50:50:51"},
	{`add ip-dhcp-bootp "<bootp file='pxe.0' server='192.168.50.9'/>" --live --config --parent-index 0`, both, "+pxe.0", "+pxe.0"},
	{`delete ip-dhcp-bootp "<bootp/>" --live --config --parent-index 0`, both, "-pxe.0", "-pxe.0"},
	{`add ip-tftp "<tftp root='/var/empty'/>" --config --parent-index 0`, configOnly, "-/var/empty", "+/var/empty"},
	{`add dns "<dns enable='no'/>" --live`, liveOnly, "+enable='no'", "-enable='no'"},
	{`delete dns "<dns/>" --live`, liveOnly, "-enable='no'", ""},
	{`add bandwidth "<bandwidth><inbound average='100000'/><outbound average='100000'/></bandwidth>" --live --config`, both, "+average='100000'", "+average='100000'"},
	{`modify bandwidth "<bandwidth><inbound average='90000' peak='100000' burst='2000'/></bandwidth>" --live`, liveOnly, "+average='90000'", "-average='90000'"},
	{`delete bandwidth "<bandwidth/>" --live --config`, both, "-average='90000'", "-average='100000'"},
	{`add mtu "<mtu size='1500'/>" --live --config`, both, "+size='1500'", "+size='1500'"},
	{`modify mtu "<mtu size='1499'/>" --config`, configOnly, "-size='1499'", "+size='1499'"},
	{`delete mtu "<mtu/>" --config`, configOnly, "+size='1500'", "-size="},
	{`modify forward "<forward mode='nat' dev='eth0'/>" --live --config`, both, "+dev='eth0'", "+dev='eth0'"},
	{`modify forward "<forward mode='sideways'/>" --live`, "error: ", "-sideways", ""},
	{`modify bridge "<bridge name='virbr59' stp='on' delay='0'/>" --live --config`, both, "+virbr59", "+virbr59"},

	// Calls that are wrong.
	{`frob dns-txt "<txt/>" --live`, "error: unrecognized command name 'frob'", "", ""},
	{`add frob "<txt/>" --live`, "error: unrecognized section name 'frob'", "", ""},
	{`add dns-txt "<txt name=" --live`, "error: network_update_xml:1: AttValue: \" or ' expected\n<txt name=\n----------^", "", ""},
	{`add dns-txt "<txt/>" --live --current`, "error: Options --current and --live are mutually exclusive", "", ""},
	{`add dns-txt /nonexistent.xml --live`, "error: Failed to open file '/nonexistent.xml': No such file or directory", "", ""},
}

// TestUpdatesDisturbNobody makes updates of every section while a guest of the
// network talks to the outside and to a mate over TCP, and pings both and its
// gateway ten times a second. Nothing may be lost.
func TestUpdatesDisturbNobody(t *testing.T) {
	t.Parallel()
	if len(changes) < 60 {
		t.Errorf("%d updates are too few", len(changes))
	}
	l := nstest.NewLab(t)
	m := daemontest.NewMachine(t, l.Machine.NS())
	m.Start(0)
	file := t.TempDir() + "/lab.xml"
	if err := os.WriteFile(file, []byte(updated), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"net-define", file}, {"net-start", "lab"}} {
		if said := kvmnetSays(t, m, args...); said.Code != 0 {
			t.Fatalf("%q: %+v\n%s", args, said, m.Log)
		}
	}
	vm := l.Guest(t, "vm1", "virbr50", "192.168.50.21/24", "192.168.50.1")
	mate := l.Guest(t, "vm2", "virbr50", "192.168.50.22/24", "192.168.50.1")
	nstest.Serve(t, mate)
	for _, a := range []netip.Addr{nstest.Internet4, addr("192.168.50.22")} { // ports learn at first, as the network has STP
		nstest.Eventually(t, patience, func() error {
			if r := vm.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: a}); !r.OK {
				return fmt.Errorf("%s: %s", a, r)
			}
			return nil
		})
	}
	talk := talks(t, vm, nstest.Internet4, addr("192.168.50.22"), addr("192.168.50.1"))
	for _, c := range changes {
		c.make(t, m)
		if broken := talk.broken(); broken != "" {
			t.Fatalf("%s broke %s\n%s", c.args, broken, m.Log)
		}
	}
	talk.end(t)
	if r := vm.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: nstest.Internet4}); !r.OK {
		t.Errorf("a new connection: %s", r)
	}
	m.Settled()
}

// make makes an update, and looks at what is said and at both dumps.
func (c change) make(t *testing.T, m *daemontest.Machine) {
	t.Helper()
	said := kvmnetSays(t, m, append([]string{"net-update", "lab"}, words(c.args)...)...)
	if got := c.heard(said); !strings.HasPrefix(got, c.said) || got != c.said && c.said != "error: " {
		t.Errorf("net-update lab %s\n    says  %q\n    want  %q", c.args, got, c.said)
	}
	for _, dump := range []struct{ name, want, flag string }{{"as it runs", c.live, ""}, {"in its definition", c.config, "--inactive"}} {
		text := kvmnetSays(t, m, strings.Fields("net-dumpxml lab "+dump.flag)...).Out
		if dump.want != "" && strings.Contains(text, dump.want[1:]) != (dump.want[0] == '+') {
			t.Errorf("net-update lab %s: want %s; %s it is\n%s", c.args, dump.want, dump.name, text)
		}
	}
}

// heard is the message of an update: the copies that it changed, or its error
// without what failed.
func (c change) heard(said peers.Said) string {
	switch {
	case said.Code == 0 && said.Err == "":
		return strings.TrimSuffix(strings.TrimPrefix(said.Out, "Updated network lab "), "\n")
	case said.Code == 1 && said.Out == "\n":
		return strings.TrimSuffix(strings.TrimPrefix(said.Err, "error: Failed to update network lab\n"), "\n")
	}
	return fmt.Sprintf("%+v", said)
}

// talking is a guest's traffic.
type talking struct {
	tcp   map[netip.Addr]*testhost.TCPStream
	pings map[netip.Addr]*testhost.PingStream
}

// talks begins to talk with addresses; of the last only pings come back.
func talks(t *testing.T, vm *testhost.Host, to ...netip.Addr) *talking {
	t.Helper()
	all := &talking{map[netip.Addr]*testhost.TCPStream{}, map[netip.Addr]*testhost.PingStream{}}
	for i, a := range to {
		var err error
		if all.pings[a], err = vm.PingStream(t.Context(), a, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if i == len(to)-1 {
			break
		}
		if all.tcp[a], err = vm.TCPStream(t.Context(), netip.AddrPortFrom(a, testhost.EchoPort)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// broken tells of what has ended, or stood still.
func (all *talking) broken() string {
	for a, s := range all.tcp {
		if r := s.Report(); r.Broken != "" || r.LongestStall > stall {
			return fmt.Sprintf("the stream to %s: %+v", a, r)
		}
	}
	for a, p := range all.pings {
		if r := p.Report(); len(r.Refusals) > 0 || r.LongestGap > stall {
			return fmt.Sprintf("the pings to %s: %+v", a, r)
		}
	}
	return ""
}

// end ends the traffic, of which nothing may be lost.
func (all *talking) end(t *testing.T) {
	t.Helper()
	for a, s := range all.tcp {
		if r := goesOn(t, s); r.Broken != "" || r.Bytes < 10_000 || r.LongestStall > stall {
			t.Errorf("the stream to %s: %+v", a, r)
		}
	}
	for a, p := range all.pings {
		if r := p.Stop(); r.Lost > 0 || r.Sent < 10 {
			t.Errorf("the pings to %s: %+v", a, r)
		}
	}
}
