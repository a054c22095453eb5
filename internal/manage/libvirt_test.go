package manage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// xmlOf is a network in libvirt's words.
func xmlOf(name, inner string) string {
	return "<network>\n  <name>" + name + "</name>\n  " + inner + "\n</network>\n"
}

const (
	uuidA = "<uuid>aaaaaaaa-0000-4000-8000-000000000001</uuid>"
	uuidB = "<uuid>aaaaaaaa-0000-4000-8000-000000000002</uuid>"
)

// defineXML defines a network, or creates it, in virsh's way.
func (r *rig) defineXML(text string, transient bool) (api.Defined, error) {
	return r.Define(r.t.Context(), api.DefineRequest{File: api.File{Name: "a.xml", Text: text}, Transient: transient})
}

func (r *rig) xml(text string) api.Defined {
	r.t.Helper()
	n, err := r.defineXML(text, false)
	r.ok(err)
	return n
}

// said checks the reason and the message of an error, to the letter.
func (r *rig) said(err error, reason, message string) {
	r.t.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Reason != reason || e.Message != message {
		r.t.Errorf("got  %#v\nwant %s: %s", err, reason, message)
	}
}

// The messages are those that virsh 9.0 prints behind "error: " for the same steps.
func TestXMLIsRefusedInLibvirtsWords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	define := func(text string) error { _, err := r.defineXML(text, false); return err }
	create := func(text string) error { _, err := r.defineXML(text, true); return err }
	r.xml(xmlOf("aa", uuidA+"<bridge name='virbr0'/><ip address='10.5.0.1' netmask='255.255.255.0'/>"))
	r.xml(xmlOf("bb", "<bridge name='virbr9'/><ip address='10.5.0.1' netmask='255.255.255.0'/>")) // the same subnet
	r.ok(r.Start(t.Context(), "aa"))
	r.ok(create(xmlOf("tt", uuidB+"<bridge name='virbr7'/>")))
	bb, err := r.Network(t.Context(), "bb")
	r.ok(err)
	r.add("~p1 aa")
	for _, c := range []struct {
		name, reason, message string
		do                    func() error
	}{
		{"another UUID", api.ReasonNameTaken, "operation failed: network 'aa' already exists with uuid aaaaaaaa-0000-4000-8000-000000000001",
			func() error { return define(xmlOf("aa", "<uuid>aaaaaaaa-0000-4000-8000-000000000009</uuid>")) }},
		{"no UUID", api.ReasonNameTaken, "operation failed: network 'aa' already exists with uuid aaaaaaaa-0000-4000-8000-000000000001",
			func() error { return define(xmlOf("aa", "<bridge name='virbr0'/>")) }},
		{"no UUID, to be created", api.ReasonNameTaken, "operation failed: network 'bb' already exists with uuid " + bb.Spec.UUID,
			func() error { return create(xmlOf("bb", "")) }},
		{"no UUID, of a transient one", api.ReasonNameTaken, "operation failed: network 'tt' already exists with uuid aaaaaaaa-0000-4000-8000-000000000002",
			func() error { return define(xmlOf("tt", "")) }},
		{"another name", api.ReasonUUIDTaken, "operation failed: network 'aa' is already defined with uuid aaaaaaaa-0000-4000-8000-000000000001",
			func() error { return define(xmlOf("cc", uuidA+"<bridge name='virbr44'/>")) }},
		{"another name, in large letters", api.ReasonUUIDTaken, "operation failed: network 'aa' is already defined with uuid aaaaaaaa-0000-4000-8000-000000000001",
			func() error { return create(xmlOf("cc", "<uuid>"+strings.ToUpper(uuidA[6:42])+"</uuid>")) }},
		{"another's bridge before another's UUID", api.ReasonBridgeTaken, "internal error: bridge name 'virbr0' already in use.",
			func() error { return define(xmlOf("cc", uuidA+"<bridge name='virbr0'/>")) }},
		{"the bridge of one that does not run", api.ReasonBridgeTaken, "internal error: bridge name 'virbr9' already in use.",
			func() error { return create(xmlOf("cc", "<bridge name='virbr9'/>")) }},
		{"create one that runs", api.ReasonUUIDTaken, "Requested operation is not valid: network is already active as 'aa'",
			func() error { return create(xmlOf("aa", uuidA)) }},
		{"a subnet in use", api.ReasonSubnetInUse, "Network is already in use by interface virbr0", func() error { return r.Start(t.Context(), "bb") }},
		{"the host's subnet", api.ReasonSubnetInUse, "Network is already in use by interface eth0",
			func() error { return create(xmlOf("cc", "<ip address='192.0.2.9' prefix='24'/>")) }},
		{"no name", api.ReasonXML, "missing name information", func() error { return define("<network/>") }},
		{"no network", api.ReasonXML, "XML error: expecting root element of 'network', not 'domain'", func() error { return define("<domain/>") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := &rig{Manager: r.Manager, t: t, host: r.host, disk: r.disk, dirs: r.dirs, kernel: r.kernel}
			q.untouched(func() { q.said(c.do(), c.reason, c.message) })
		})
	}
}

// Reasons are there whatever language a network was written in.
func TestErrorsHaveReasons(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.apply("networks: {run: {mode: isolated}, off: {mode: isolated, autostart: false}}")
	r.create("networks: {tmp: {mode: isolated}}")
	live, config := api.Copies{Live: true}, api.Copies{Config: true}
	title := ""
	describe := func(name string, c api.Copies) error {
		return r.DescribeNetwork(ctx, name, api.NetworkWords{Copies: c, Title: &title})
	}
	for _, c := range []struct {
		name, reason string
		err          error
	}{
		{"start nothing", api.ReasonNoNetwork, r.Start(ctx, "nil")},
		{"start what runs", api.ReasonActive, r.Start(ctx, "run")},
		{"start what is transient", api.ReasonActive, r.Start(ctx, "tmp")},
		{"stop what does not run", api.ReasonInactive, r.Stop(ctx, "off")},
		{"undefine what is transient", api.ReasonTransient, r.Undefine(ctx, "tmp")},
		{"autostart what is transient", api.ReasonTransient, r.SetAutostart(ctx, "tmp", true)},
		{"describe nothing", api.ReasonNoNetwork, describe("nil", config)},
		{"describe live what does not run", api.ReasonInactive, describe("off", live)},
		{"describe both of what does not run", api.ReasonInactive, describe("off", api.Copies{Live: true, Config: true})},
		{"describe the definition of what has none", api.ReasonNotPersistent, describe("tmp", config)},
		{"describe both of what is transient", api.ReasonNotPersistent, describe("tmp", api.Copies{Live: true, Config: true})},
		{"delete no port", api.ReasonNoPort, r.Delete(ctx, "port", "nil")},
		{"delete no bridge", "", r.Delete(ctx, "bridge", "nil")},
	} {
		var e *api.Error
		if !errors.As(c.err, &e) || e.Reason != c.reason {
			t.Errorf("%s: got %#v, want the reason %q", c.name, c.err, c.reason)
		}
	}
}

// A bridge without a name gets the first number that nobody has: no definition, no
// network that runs, no interface of the host.
func TestBridgesOfXMLGetTheFirstFreeNumber(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.add(stranger("virbr1", "bridge"), stranger("lab0", "device"))
	bridge := func(text string) string { return r.xml(text).Spec.Bridge.Name }
	r.xml(xmlOf("a", uuidA+"<bridge name='virbr0'/>"))
	r.ok(r.Start(t.Context(), "a"))
	r.xml(xmlOf("a", uuidA+"<bridge name='virbr3'/>")) // but it still runs with virbr0
	r.apply("networks: {y: {mode: isolated, bridge: {name: virbr2}, autostart: false}}")
	for _, c := range []struct{ inner, want string }{
		{"", "virbr4"},
		{"<bridge/>", "virbr5"},
		{"<bridge name='virbr%d'/>", "virbr6"},
		{"<bridge name='lab%d'/>", "lab1"},
		{"<bridge name='lab%d'/>", "lab2"},
		{"<bridge name='x%dy'/>", "x0y"},
		{"<forward mode='route'/><ip address='10.9.0.1' prefix='24'/>", "virbr7"},
		{"<forward mode='bridge'/><bridge name='br0'/>", "br0"},
		{"<bridge stp='off'/>", "virbr8"},
	} {
		name := fmt.Sprintf("n%s", strings.ReplaceAll(c.want, "%", ""))
		if got := bridge(xmlOf(name, c.inner)); got != c.want {
			t.Errorf("%q: the bridge is %q, want %q", c.inner, got, c.want)
		}
	}
	if a, _ := r.Network(t.Context(), "a"); a.Spec.Bridge.Name != "virbr0" || a.Definition == nil || a.Definition.Bridge.Name != "virbr3" {
		t.Errorf("a runs with %q and is defined as %+v", a.Spec.Bridge.Name, a.Definition)
	}
}

func TestBridgesOfFilesThatComeTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.try(false, xmlOf("a", ""), xmlOf("b", "<bridge name='virbr0'/>"), xmlOf("c", ""))
	r.ok(err)
	for name, want := range map[string]string{"a": "virbr1", "b": "virbr0", "c": "virbr2"} {
		if n, err := r.Network(t.Context(), name); err != nil || n.Spec.Bridge.Name != want {
			t.Errorf("%s has the bridge %q, want %s: %v", name, n.Spec.Bridge.Name, want, err)
		}
	}
}

func TestBridgeNumbersEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.change(func() {
		for i := range lastBridge + 1 {
			r.host.state.Add(stranger(fmt.Sprintf("virbr%d", i), "bridge"))
		}
	})
	_, err := r.defineXML(xmlOf("a", ""), false)
	r.said(err, api.ReasonBridgeTaken, "internal error: Bridge generation exceeded max id 256")
}

// What libvirt keeps of a network that is defined anew stays, and what it makes for a
// new one is made.
func TestXMLDefinedAnewKeepsWhatLibvirtKeeps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.xml(xmlOf("a", ""))
	if n.Status.Autostart || n.Spec.UUID == "" || n.Spec.Bridge.MAC.IsZero() || !n.Spec.Bridge.STP {
		t.Errorf("made %+v", n.Spec)
	}
	if mac := n.Spec.Bridge.MAC; mac[0] != 0x52 || mac[1] != 0x54 || mac[2] != 0 {
		t.Errorf("the MAC is %s", mac)
	}
	same := "<uuid>" + n.Spec.UUID + "</uuid>"
	r.ok(r.SetAutostart(t.Context(), "a", true))
	again := r.xml(xmlOf("a", same+"<bridge name='other'/>"))
	if !again.Status.Autostart || again.Spec.Bridge.MAC != n.Spec.Bridge.MAC || again.Spec.Bridge.Name != "other" {
		t.Errorf("defined anew it is %+v", again.Spec)
	}
	r.ok(r.Undefine(t.Context(), "a"))
	if fresh := r.xml(xmlOf("a", same)); fresh.Status.Autostart || fresh.Spec.UUID != n.Spec.UUID {
		t.Errorf("defined after it was undefined it is %+v", fresh.Spec)
	}
}

// A network that is kept from now on runs as it is defined, whether it will start at
// boot or not.
func TestAutostartIsNoDifference(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("networks: {tmp: {mode: isolated}}")
	r.define("networks: {tmp: {mode: isolated, autostart: false}}")
	r.is("tmp", "running persistent")
	r.define("networks: {tmp: {mode: isolated, autostart: false, title: t}}")
	r.is("tmp", "running persistent pending")
}

// libvirt lets one define networks that cannot run at the same time.
func TestNetworksThatCannotRunTogetherMayBeDefined(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const inner = "<forward mode='nat'/><mac address='52:54:00:00:00:01'/><ip address='10.5.0.1' netmask='255.255.255.0'/>"
	r.xml(xmlOf("a", inner))
	r.xml(xmlOf("b", inner))
	r.xml(xmlOf("c", "<ip address='192.0.2.1' prefix='24'/>")) // the host's
	r.ok(r.Start(t.Context(), "a"))
	r.refused(r.Start(t.Context(), "b"), api.CodeConflict, "Network is already in use by interface virbr0", `10.5.0.1/24 overlaps 10.5.0.1/24 of network "a"`)
	r.refused(r.Start(t.Context(), "c"), api.CodeConflict, "Network is already in use by interface eth0", "192.0.2.0/24 is in use on this host")
	r.ok(r.Stop(t.Context(), "a"))
	r.ok(r.Start(t.Context(), "b"))
	r.apply("networks: {other: {mode: isolated}}") // nobody is held up by what was there before
	r.settled()
}

// At boot the first of them starts, by name, and one that no host could run does not.
func TestNetworksThatCannotRunTogetherAtBoot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"c", "a", "b", "ok"} {
		subnet := "10.5.0.1"
		if name == "ok" {
			subnet = "10.6.0.1"
		}
		r.xml(xmlOf(name, "<ip address='"+subnet+"' netmask='255.255.255.0'/>"))
		r.ok(r.SetAutostart(t.Context(), name, true))
	}
	r.xml(xmlOf("pci", "<forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward>"))
	r.ok(r.SetAutostart(t.Context(), "pci", true))
	next := r.boots(func() {})
	next.refusedAtBoot(next.Boot(), `networks.b.subnets[0].address: 10.5.0.1/24 overlaps`, `networks.c.subnets[0].address: 10.5.0.1/24 overlaps`, "network pci cannot be started")
	_, err := next.engine.Sync(t.Context())
	next.ok(err)
	for name, want := range map[string]string{"a": api.Running, "b": api.Inactive, "c": api.Inactive, "ok": api.Running, "pci": api.Inactive} {
		if n, err := next.Network(t.Context(), name); err != nil || n.Status.State != want {
			t.Errorf("%s is %q, want %q: %v", name, n.Status.State, want, err)
		}
	}
}

// refusedAtBoot checks that what could not be started is told.
func (r *rig) refusedAtBoot(err error, words ...string) {
	r.t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			r.t.Errorf("%v does not say %q", err, w)
		}
	}
}

// What libvirt keeps for its own tools can be defined and not started.
func TestHollowNetworksAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.xml(xmlOf("pci", "<forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward>"))
	if len(n.Notes) == 0 {
		t.Error("nothing is told of it")
	}
	r.untouched(func() {
		r.said(r.Start(t.Context(), "pci"), api.ReasonUnsupported, "network pci cannot be started here; nothing was changed")
		_, err := r.defineXML(xmlOf("other", "<forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward>"), true)
		r.refused(err, api.CodeConflict, "network other cannot be started here", "it names neither a bridge nor a NIC")
	})
	if got := r.dump("pci", true); !strings.Contains(got, "<forward mode='hostdev' managed='yes'>\n    <pf dev='eth0'/>\n  </forward>\n") {
		t.Errorf("kept\n%s", got)
	}
}

// The same file applied twice changes nothing the second time, and is told apart from
// YAML by its first character only.
func TestXMLIsAppliedAsYAMLIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := "\ufeff \n" + xmlOf("lab", "<forward mode='nat'/><ip address='10.5.0.1' netmask='255.255.255.0'/>")
	dry, err := r.try(true, file, "ports: {vm1: {network: lab}}")
	r.ok(err)
	if got := verbsOf(dry); got != "network/lab created, port/vm1 created" {
		t.Errorf("would do %q", got)
	}
	r.is("lab", "")
	_, err = r.try(false, file, "ports: {vm1: {network: lab}}")
	r.ok(err)
	r.is("lab", "inactive persistent")
	r.ok(r.Start(t.Context(), "lab"))
	r.plugged("vm1", "virbr0")
	r.ok(r.SetAutostart(t.Context(), "lab", true))
	r.untouched(func() {
		again := r.apply(file)
		if got := verbsOf(again); got != "network/lab unchanged" || len(again.Ops) > 0 {
			t.Errorf("the second time: %s, %q", got, again.Ops)
		}
	})
	changed := r.apply(strings.Replace(file, "10.5.0.1'", "10.5.0.2'", 1))
	if got := verbsOf(changed); got != "network/lab changed" {
		t.Errorf("the third time: %s", got)
	}
	r.plugged("vm1", "virbr0")
	_, err = r.try(false, "networks: {lab: {mode: isolated}}", file)
	r.refused(err, api.CodeInvalid, "network/lab is in a.yaml and in b.yaml")
}

// What is said in vain comes back with its place, and is a reason to refuse where that
// is asked for.
func TestWhatXMLSaysInVainIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text := xmlOf("lab", "<brige name='x'/>")
	_, err := r.Define(t.Context(), api.DefineRequest{File: api.File{Name: "a.xml", Text: text}, Strict: true})
	r.refused(err, api.CodeInvalid, "1 problem; nothing was changed", "a.xml:3:", "brige")
	r.is("lab", "")
	n := r.xml(text)
	if len(n.Notes) != 1 || n.Notes[0].File != "a.xml" || n.Notes[0].Line != 3 || !strings.Contains(n.Notes[0].Text, "brige") {
		t.Errorf("notes %+v", n.Notes)
	}
	result := r.apply(text)
	if len(result.Notes) != 1 {
		t.Errorf("notes of an apply %+v", result.Notes)
	}
}

// Wherever a network is named, its UUID names it, too; a network that is called as
// another's UUID is that one.
func TestNetworksAreFoundByUUID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	const id = "aaaaaaaa-0000-4000-8000-000000000001"
	r.xml(xmlOf("lab", uuidA))
	r.ok(r.SetAutostart(ctx, strings.ToUpper(id), true))
	r.ok(r.Start(ctx, strings.ReplaceAll(id, "-", "")))
	for name, err := range map[string]error{
		"describe": r.DescribeNetwork(ctx, id, api.NetworkWords{Title: new(string)}),
		"leases":   func() error { _, err := r.Leases(ctx, id); return err }(),
		"xml":      func() error { _, err := r.NetworkXML(ctx, id, false); return err }(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := r.Network(ctx, id); err != nil || n.Name != "lab" {
		t.Errorf("found %q: %v", n.Name, err)
	}
	r.ok(addNetwork(r, id, spec.Network{Mode: spec.Isolated}, false))
	if n, _ := r.Network(ctx, id); n.Name != id {
		t.Errorf("a name that looks like a UUID finds %q", n.Name)
	}
	r.ok(r.Undefine(ctx, id))
	r.ok(r.Stop(ctx, id))
	r.ok(r.Undefine(ctx, id))
	r.refused(r.Start(ctx, id), api.CodeNotFound, id)
}
