package spec

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestMACForms(t *testing.T) {
	t.Parallel()
	good := MAC{0x52, 0x54, 0, 0x12, 0x34, 0xab}
	for _, s := range []string{"52:54:00:12:34:ab", "52-54-00-12-34-AB", "5254.0012.34ab"} {
		if m, err := ParseMAC(s); err != nil || m != good {
			t.Errorf("ParseMAC(%q) = %v, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "52:54:00:12:34", "52:54:00:12:34:ab:cd:ef", "00:00:00:00:00:00", "x"} {
		if m, err := ParseMAC(s); err == nil {
			t.Errorf("ParseMAC(%q) = %v, want an error", s, m)
		}
	}
	if got := good.String(); got != "52:54:00:12:34:ab" {
		t.Errorf("String() = %q", got)
	}
	if g := GenerateMAC("x"); g.IsMulticast() || g.IsZero() || g != GenerateMAC("x") || g == GenerateMAC("y") {
		t.Errorf("GenerateMAC is not unicast, stable and different: %v", g)
	}
}

func TestSecondsForms(t *testing.T) {
	t.Parallel()
	good := map[string]Seconds{"0": 0, "90": 90, "90s": 90, "12h": 43200, "1h30m": 5400, "7d": 604800, "infinite": Infinite}
	for s, want := range good {
		if got, err := ParseSeconds(s); err != nil || got != want {
			t.Errorf("ParseSeconds(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1", "-1h", "1.5s", "100ms", "d", "1w", "forever", "99999999999"} {
		if got, err := ParseSeconds(s); err == nil {
			t.Errorf("ParseSeconds(%q) = %v, want an error", s, got)
		}
	}
}

func TestValuesReadBackWhatTheyPrint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := Seconds(rapid.Int64Range(-1, 1<<32).Draw(t, "seconds"))
		if got, err := ParseSeconds(d.String()); err != nil || got != d {
			t.Fatalf("%s reads as %v, %v", d, got, err)
		}
		m := MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
		if got, err := ParseMAC(m.String()); !m.IsZero() && (err != nil || got != m) {
			t.Fatalf("%s reads as %v, %v", m, got, err)
		}
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		r := AddrRange{a, a}
		if next := a.Next(); next.IsValid() {
			r.To = next
		}
		if got, err := ParseAddrRange(r.String()); err != nil || got != r || !r.Contains(a) {
			t.Fatalf("%s reads as %v, %v", r, got, err)
		}
	})
}
