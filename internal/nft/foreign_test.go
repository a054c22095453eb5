package nft

import (
	"slices"
	"testing"
)

func TestNSChainsOfOthersAreTold(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "nat", []string{"a"}})
	l.host.nft(`table inet other {
		chain gate { type filter hook forward priority 10; policy drop; }
		chain door { type filter hook input priority 10; policy accept; }
		chain beside { }
	}
	table ip filter {
		chain INPUT { type filter hook input priority 0; policy drop; }
	}`)
	got, err := l.conn.ForeignChains()
	if err != nil {
		t.Fatal(err)
	}
	want := []ForeignChain{
		{"inet", "other", "gate", "forward", true}, {"inet", "other", "door", "input", false}, {"inet", "other", "beside", "", false},
		{"ip", "filter", "INPUT", "input", true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
