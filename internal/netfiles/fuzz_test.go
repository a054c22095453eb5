package netfiles

import (
	"bytes"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

// seeds adds the files of all scenes whose path has a part.
func seeds(f *testing.F, part string) {
	f.Helper()
	for _, dir := range []string{"bridge", "join", "real"} {
		for _, s := range scenes(&testing.T{}, "testdata/"+dir+"/*.txtar") {
			for _, file := range s.archive.Files {
				if strings.Contains(file.Name, part) {
					f.Add(string(file.Data))
				}
			}
		}
	}
}

// converted runs all that reads a file on one: nothing stops, and what is written is
// taken back.
func converted(t *testing.T, m Manager, path, text string) {
	t.Helper()
	tree := Tree{Files: map[string]*File{path: {Text: []byte(text), Mode: 0o644}}, Links: map[string]Link{"eth0": {Index: 2, Type: "ether"}}}
	Claims(tree, "eth0", running{string(m)})
	AllDefined(tree)
	changes, err := Bridge(tree, m, Conversion{NIC: "eth0", Bridge: "br0", MAC: spec.MAC{2, 1}})
	if err == nil {
		e := newEdit(tree)
		for _, c := range changes {
			if c.After == nil {
				e.remove(c.Path)
			} else {
				e.set(c.Path, string(c.After), c.Mode)
			}
		}
		if i, err := Defined(e.result(), m, "br0"); err != nil || i == nil {
			t.Errorf("the bridge is not defined: %v\n%s", err, Diff(changes))
		}
	}
	joins(t, tree, m)
	tree.Files = maps.Clone(tree.Files)
	for p, text := range fuzzBridges[m] {
		if now := tree.Files[p]; now != nil {
			text = string(now.Text) + "\n" + text
		}
		tree.Files[p] = &File{Text: []byte(text), Mode: 0o644}
	}
	joins(t, tree, m)
	Undefine(tree, m, "eth0")
	Define(tree, m, spec.HostInterface{Name: "eth0", Type: spec.EthernetInterface, IPv4: &spec.InterfaceIP{DHCP: true}})
}

// fuzzBridges are files in which a bridge is defined beside what is in those of a fuzz.
var fuzzBridges = map[Manager]map[string]string{
	Networkd:       {"/etc/systemd/network/z.netdev": "[NetDev]\nName=br0\nKind=bridge\n", "/etc/systemd/network/z.network": "[Match]\nName=br0\n[Network]\nAddress=10.0.0.1/24\n"},
	NetworkManager: {nmOwn + "/z.nmconnection": "[connection]\ntype=bridge\ninterface-name=br0\n[ipv4]\nmethod=manual\naddress1=10.0.0.1/24\n"},
	Netplan:        {"/etc/netplan/z.yaml": "network: {bridges: {br0: {addresses: [10.0.0.1/24]}}}\n"},
	Ifupdown:       {interfacesPath: "auto br0\niface br0 inet static\n address 10.0.0.1/24\n bridge_ports none\n"},
	Ifcfg:          {ifcfgDir + "/ifcfg-br0": "DEVICE=br0\nTYPE=Bridge\nIPADDR=10.0.0.1\n", ifcfgDir + "/route-br0": "10.9.0.0/16 via 10.0.0.9\n"},
	Own:            {OwnDir + "/br0.yaml": "name: br0\nbridge: {}\nipv4: {addresses: [10.0.0.1/24]}\n"},
}

// joins has the NIC join the bridge: what is written defines it with the NIC as a port,
// and is taken back to the byte.
func joins(t *testing.T, tree Tree, m Manager) {
	t.Helper()
	changes, err := Join(tree, m, Conversion{NIC: "eth0", Bridge: "br0", MAC: spec.MAC{2, 1}, MTU: 1400})
	if err != nil {
		return
	}
	after := tree.with(changes)
	if i, err := Defined(after, m, "br0"); err != nil || i == nil || !slices.Contains(portNames(*i), "eth0") {
		t.Errorf("the bridge has no such port: %+v %v\n%s", i, err, Diff(changes))
	}
	back := after.with(Undo(changes))
	for p, f := range tree.Files {
		if b := back.Files[p]; b == nil || !bytes.Equal(b.Text, f.Text) {
			t.Errorf("%s is not as it was", p)
		}
	}
	if len(back.Files) != len(tree.Files) {
		t.Errorf("files are left: %v", slices.Sorted(maps.Keys(back.Files)))
	}
}

func FuzzUnit(f *testing.F) {
	seeds(f, ".network")
	f.Add("[Match]\nName=eth0 \\\n# c\n eth1\n[Network]\nAddress=\\\n\\")
	f.Fuzz(func(t *testing.T, text string) {
		if got := joinRaw(parseUnit(text)); got != text {
			t.Errorf("lines were lost: %q became %q", text, got)
		}
		converted(t, Networkd, "/etc/systemd/network/a.network", text)
	})
}

func joinRaw(s sections) string {
	var b strings.Builder
	for _, e := range s {
		b.WriteString(e.raw)
	}
	return b.String()
}

func FuzzKeyfile(f *testing.F) {
	seeds(f, ".nmconnection")
	f.Add("[connection]\ntype=ethernet\n[ipv4]\naddress1=1.2.3.4/24,\\s\nroute1=,,\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got := joinRaw(parseKeyfile(text)); got != text {
			t.Errorf("lines were lost: %q became %q", text, got)
		}
		converted(t, NetworkManager, nmOwn+"/a.nmconnection", text)
	})
}

func FuzzInterfaces(f *testing.F) {
	seeds(f, "/etc/network/")
	f.Add("iface eth0 inet dhcp\n up a\\\n b eth0\nauto eth0 \\\n eth0:1\nallow-hotplug eth0 eth1")
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		for _, s := range parseInterfaces(text) {
			b.WriteString(s.raw)
		}
		if b.String() != text {
			t.Errorf("lines were lost: %q became %q", text, b.String())
		}
		converted(t, Ifupdown, interfacesPath, text)
	})
}

func FuzzNetplan(f *testing.F) {
	seeds(f, "/netplan/")
	f.Add("network: {ethernets: &a {eth0: {<<: *a, dhcp4: yes}}}")
	f.Fuzz(func(t *testing.T, text string) {
		converted(t, Netplan, "/etc/netplan/a.yaml", text)
	})
}

func FuzzIfcfg(f *testing.F) {
	seeds(f, "/network-scripts/")
	f.Add("DEVICE=eth0\nexport IPADDR='1.2.3.4' # x\nA=\"b\\\"c\"\\ d\n")
	f.Fuzz(func(t *testing.T, text string) {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if got := parseShell(text).String(); got != text {
			t.Errorf("lines were lost: %q became %q", text, got)
		}
		converted(t, Ifcfg, ifcfgDir+"/ifcfg-eth0", text)
	})
}

func FuzzIfcfgBridge(f *testing.F) {
	seeds(f, "/network-scripts/")
	f.Fuzz(func(t *testing.T, text string) {
		nic := "DEVICE=eth0\nIPADDR=192.0.2.7\nGATEWAY=192.0.2.1\nIPV6INIT=yes\n"
		for _, p := range []string{"ifcfg-br0", "route-br0", "route-eth0"} {
			files := map[string]*File{ifcfgDir + "/ifcfg-eth0": {Text: []byte(nic)}, ifcfgDir + "/ifcfg-br0": {Text: []byte("TYPE=Bridge\n")}, ifcfgDir + "/route-br0": {Text: []byte("ADDRESS0=10.9.0.0\nGATEWAY0=10.0.0.9\n")}}
			files[ifcfgDir+"/"+p] = &File{Text: []byte(text)}
			joins(t, Tree{Files: files}, Ifcfg)
		}
	})
}

func FuzzOwn(f *testing.F) {
	seeds(f, OwnDir)
	f.Add("name: br0\nbridge: &b {ports: []}\nipv4: {addresses: [10.0.0.2/24], routes: [{to: 0.0.0.0/0, via: 10.0.0.9}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		converted(t, Own, OwnDir+"/eth0.yaml", text)
		joins(t, Tree{Files: map[string]*File{OwnDir + "/br0.yaml": {Text: []byte(text)}}}, Own)
	})
}

// FuzzShellWord holds how values are written against a real shell.
func FuzzShellWord(f *testing.F) {
	for _, s := range []string{"", "a", "a b", `it's "x" \ $HOME` + " `id`", "#a", "a;b", "mode=1 miimon=100"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\x00\n\r") {
			return
		}
		if got := parseShell("A=" + shellWord(text) + "\n").get("A"); got != text {
			t.Errorf("%q is read back as %q", text, got)
		}
		cmd := exec.Command("sh")
		cmd.Stdin = strings.NewReader("A=" + shellWord(text) + "\nprintf %s \"$A\"")
		if out, err := cmd.Output(); err != nil || !bytes.Equal(out, []byte(text)) {
			t.Errorf("a shell reads %q as %q, %v", text, out, err)
		}
	})
}
