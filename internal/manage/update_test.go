package manage

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
)

const updatable = "<forward mode='nat'><nat><address start='203.0.113.1' end='203.0.113.4'/></nat></forward><bridge name='lab0'/><mtu size='1400'/>" +
	"<mac address='52:54:00:00:00:99'/><domain name='lab.test'/><ip address='10.5.0.1' netmask='255.255.255.0'><dhcp><range start='10.5.0.10' end='10.5.0.99'/>" +
	"<host mac='52:54:00:00:00:01' name='one' ip='10.5.0.5'/></dhcp></ip><ip family='ipv6' address='fd00:5::1' prefix='64'/>"

// updatableRig runs such a network with a guest.
func updatableRig(t *testing.T) *rig {
	r := newRig(t)
	r.xml(xmlOf("lab", updatable))
	r.ok(r.Start(t.Context(), "lab"))
	r.add("vm1 lab")
	r.settled()
	return r
}

func (r *rig) update(c api.Copies, command, section, xml string) (api.Updated, error) {
	return r.UpdateNetwork(r.t.Context(), "lab", api.NetworkUpdate{Copies: c, Command: command, Section: section, Parent: -1, XML: xml})
}

// updates of a running network and the changes of the kernel that each makes. Nothing
// is removed and made again: not a rule, not the bridge, not the guest's cable.
var updates = []struct {
	command, section, xml string
	verbs                 string // of the ops, each once: "add set"
	only                  string // what every op is about
}{
	{"add", "ip-dhcp-host", "<host mac='52:54:00:00:00:02' ip='10.5.0.6'/>", "", ""},
	{"modify", "ip-dhcp-host", "<host mac='52:54:00:00:00:01' name='two' ip='10.5.0.7'/>", "", ""},
	{"delete", "ip-dhcp-host", "<host mac='52:54:00:00:00:01'/>", "", ""},
	{"add", "ip-dhcp-range", "<range start='10.5.0.110' end='10.5.0.120'/>", "", ""},
	{"add", "dns-txt", "<txt name='a' value='b'/>", "", ""},
	{"add", "dns-host", "<host ip='10.5.0.9'><hostname>nine</hostname></host>", "", ""},
	{"add", "dns-srv", "<srv service='sip' protocol='udp' domain='lab.test' target='t.lab.test' port='5060'/>", "", ""},
	{"add", "portgroup", "<portgroup name='g'/>", "", ""},
	{"modify", "mtu", "<mtu size='1300'/>", "set", "link "},
	{"modify", "domain", "<domain name='other.test'/>", "", ""},
	{"modify", "nat", "<nat><address start='203.0.113.1' end='203.0.113.9'/></nat>", "set", "chain source_lab0 "},
	{"add", "ip", "<ip address='10.6.0.1' netmask='255.255.255.0'/>", "add", ""},
	{"add", "route", "<route address='10.77.0.0' prefix='16' gateway='10.5.0.44'/>", "add", "route "},
}

func TestUpdatesOfWhatRunsTouchNothingElse(t *testing.T) {
	t.Parallel()
	for _, u := range updates {
		t.Run(u.command+" "+u.section, func(t *testing.T) {
			t.Parallel()
			r := updatableRig(t)
			cable, _ := r.host.link("vm1")
			request := api.NetworkUpdate{Command: u.command, Section: u.section, Parent: -1, XML: u.xml, DryRun: true}
			var told api.Updated
			r.untouched(func() {
				var err error
				told, err = r.UpdateNetwork(t.Context(), "lab", request)
				r.ok(err)
			})
			request.DryRun = false
			done, err := r.UpdateNetwork(t.Context(), "lab", request)
			r.ok(err)
			if d := cmp.Diff(told, done); d != "" {
				t.Errorf("-told +done:\n%s", d)
			}
			if done.Copies != (api.Copies{Live: true}) {
				t.Errorf("changed the copies %+v", done.Copies)
			}
			for _, op := range done.Ops {
				verb, object, _ := strings.Cut(op, " ")
				if !slices.Contains(strings.Fields(u.verbs), verb) || !strings.HasPrefix(object, u.only) {
					t.Errorf("an op too many: %s", op)
				}
			}
			if u.verbs != "" && len(done.Ops) == 0 {
				t.Error("nothing changed on the host")
			}
			if now, _ := r.host.link("vm1"); now.Master != cable.Master || now.Name == "" {
				t.Errorf("the guest's NIC is %+v", now)
			}
			r.is("lab", "running persistent pending")
			r.settled()
			if strings.Contains(r.text("networks/lab.yaml"), "10.5.0.6") {
				t.Error("the definition changed, too")
			}
		})
	}
}

// Which copies change, and what is said of those that cannot, is as with virsh.
func TestUpdatesChangeTheCopiesThatAreMeant(t *testing.T) {
	t.Parallel()
	const host = "<host mac='52:54:00:00:00:02' ip='10.5.0.6'/>"
	live, config, both := api.Copies{Live: true}, api.Copies{Config: true}, api.Copies{Live: true, Config: true}
	for _, c := range []struct {
		name     string
		setup    func(r *rig)
		copies   api.Copies
		want     api.Copies
		reason   string
		is       string
		inLive   bool
		inConfig bool
	}{
		{"running, current", nil, api.Copies{}, live, "", "running persistent pending", true, false},
		{"running, live", nil, live, live, "", "running persistent pending", true, false},
		{"running, config", nil, config, config, "", "running persistent pending", false, true},
		{"running, both", nil, both, both, "", "running persistent", true, true},
		{"inactive, current", func(r *rig) { r.ok(r.Stop(r.t.Context(), "lab")) }, api.Copies{}, config, "", "inactive persistent", false, true},
		{"inactive, config", func(r *rig) { r.ok(r.Stop(r.t.Context(), "lab")) }, config, config, "", "inactive persistent", false, true},
		{"inactive, live", func(r *rig) { r.ok(r.Stop(r.t.Context(), "lab")) }, live, live, api.ReasonInactive, "inactive persistent", false, false},
		{"inactive, both", func(r *rig) { r.ok(r.Stop(r.t.Context(), "lab")) }, both, live, api.ReasonInactive, "inactive persistent", false, false},
		{"transient, current", func(r *rig) { r.ok(r.Undefine(r.t.Context(), "lab")) }, api.Copies{}, live, "", "running", true, false},
		{"transient, config", func(r *rig) { r.ok(r.Undefine(r.t.Context(), "lab")) }, config, live, api.ReasonNotPersistent, "running", false, false},
		{"transient, both", func(r *rig) { r.ok(r.Undefine(r.t.Context(), "lab")) }, both, live, api.ReasonNotPersistent, "running", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := updatableRig(t)
			if c.setup != nil {
				c.setup(r)
			}
			done, err := r.update(c.copies, "add", "ip-dhcp-host", host)
			var e *api.Error
			switch {
			case c.reason != "" && (!errors.As(err, &e) || e.Reason != c.reason):
				t.Errorf("got %#v, want the reason %s", err, c.reason)
			case c.reason == "" && (err != nil || done.Copies != c.want):
				t.Errorf("changed %+v: %v", done.Copies, err)
			}
			r.is("lab", c.is)
			w, err := r.world()
			r.ok(err)
			for _, half := range []struct {
				name string
				has  bool
				want bool
			}{{"the running copy", hosts(w, true), c.inLive}, {"the definition", hosts(w, false), c.inConfig}} {
				if half.has != half.want {
					t.Errorf("%s has the host: %v", half.name, half.has)
				}
			}
		})
	}
}

// hosts reports whether a copy of the network has the new reservation.
func hosts(w world, live bool) bool {
	n := w.defined.Networks["lab"]
	if live {
		n = w.running.Networks["lab"]
	}
	if n == nil {
		return false
	}
	for _, h := range n.Subnets[0].DHCP.Hosts {
		if h.IP.String() == "10.5.0.6" {
			return true
		}
	}
	return false
}

// What libvirt refuses is refused in its words, and changes nothing.
func TestBadUpdatesChangeNothing(t *testing.T) {
	t.Parallel()
	r := updatableRig(t)
	for _, c := range []struct{ command, section, xml, message string }{
		{"add", "ip-dhcp-host", "<host mac='52:54:00:00:00:01' ip='10.5.0.6'/>",
			`Requested operation is not valid: there is an existing dhcp host entry in network 'lab' that matches "<host mac='52:54:00:00:00:01' name='(null)' ip='10.5.0.6'/>"`},
		{"frob", "bridge", "<bridge/>", "unrecognized command name 'frob'"},
		{"add", "bridges", "<bridge/>", "unrecognized section name 'bridges'"},
	} {
		for _, copies := range []api.Copies{{}, {Config: true}, {Live: true, Config: true}} {
			r.untouched(func() {
				_, err := r.update(copies, c.command, c.section, c.xml)
				r.said(err, api.ReasonBadUpdate, c.message)
			})
		}
	}
	r.untouched(func() {
		_, err := r.update(api.Copies{}, "add", "ip", "<ip address='192.0.2.9' netmask='255.255.255.0'/>")
		r.said(err, api.ReasonSubnetInUse, "Network is already in use by interface eth0")
		_, err = r.UpdateNetwork(t.Context(), "nil", api.NetworkUpdate{Command: "add", Section: "bridge", XML: "<bridge/>"})
		r.refused(err, api.CodeNotFound, "no network named nil")
	})
}

// When the host refuses, both copies are as they were.
func TestUpdateThatTheHostRefusesIsTakenBack(t *testing.T) {
	t.Parallel()
	r := updatableRig(t)
	r.ok(r.Pause(t.Context(), true)) // nothing may be left to the loop
	r.untouched(func() {
		r.host.change(func() { r.host.refuse = "addr 10.6.0.1" })
		_, err := r.update(api.Copies{Live: true, Config: true}, "add", "ip", "<ip address='10.6.0.1' netmask='255.255.255.0'/>")
		r.refused(err, api.CodeInternal, "update network lab", "10.6.0.1", "refused")
	})
}

// A part that changes is told as a change, and not as a new definition.
func TestUpdatesAreTold(t *testing.T) {
	t.Parallel()
	r := updatableRig(t)
	c := r.events.listen()
	defer r.events.leave(c)
	_, err := r.update(api.Copies{Live: true, Config: true}, "add", "dns-txt", "<txt name='a' value='b'/>")
	r.ok(err)
	var got []string
	for len(c) > 0 {
		if e := <-c; e.Type != "progress" {
			got = append(got, e.Type+" "+e.Object+e.Life)
		}
	}
	if strings.Join(got, ", ") != "changed network/lab" {
		t.Errorf("told %q", got)
	}
}
