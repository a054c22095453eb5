package spec

import "testing"

// A definition of libvirt's that names nothing to put guests on is one only with what
// was kept of it.
func TestHollowNetworksAreValidWithWhatWasKept(t *testing.T) {
	t.Parallel()
	kept := &Libvirt{Kept: "<network>\n  <forward mode='hostdev'/>\n</network>\n"}
	cases := map[string]struct {
		n             Network
		hollow, valid bool
	}{
		"kept":        {Network{Mode: Bridge, Libvirt: kept}, true, true},
		"not kept":    {Network{Mode: Bridge, Libvirt: &Libvirt{Metadata: "<a/>"}}, false, false},
		"bare":        {Network{Mode: Bridge}, false, false},
		"on a bridge": {Network{Mode: Bridge, Bridge: BridgeSettings{Name: "br0"}, Libvirt: kept}, false, true},
		"on a NIC":    {Network{Mode: Bridge, Direct: &Direct{Devices: []string{"eth1"}}, Libvirt: kept}, false, true},
		"of ours":     {Network{Mode: Isolated, Libvirt: kept}, false, true},
		"too much":    {Network{Mode: Bridge, Libvirt: kept, Uplink: "eth0"}, true, false},
	}
	for name, c := range cases {
		problems := (&Spec{Networks: map[string]*Network{"lab": &c.n}}).Validate()
		if c.n.Hollow() != c.hollow || (len(problems) == 0) != c.valid {
			t.Errorf("%s: hollow %v, problems %v", name, c.n.Hollow(), problems)
		}
	}
}

func TestOptionsHaveTheirNames(t *testing.T) {
	t.Parallel()
	for _, v6 := range []bool{false, true} {
		for _, o := range optionTable(v6) {
			if got := OptionName(v6, o.code); got != o.name {
				t.Errorf("option %d of %s is called %q", o.code, protocol(v6), got)
			}
		}
		if got := OptionName(v6, 253); got != "" {
			t.Errorf("option 253 is called %q", got)
		}
	}
}
