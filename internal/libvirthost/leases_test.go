package libvirthost

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/api"
)

// line prints a lease with all that is known of it.
func line(l api.Lease) string {
	end := "never"
	if l.Expires != nil {
		end = fmt.Sprint(l.Expires.Unix())
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s iaid %d until %s %s %s", l.Protocol, l.Address, l.MAC, l.IAID, end, l.Hostname, l.ClientID))
}

func lines(list []api.Lease) string {
	var text []string
	for _, l := range list {
		text = append(text, line(l))
	}
	return strings.Join(text, "\n")
}

// statusText is what libvirt 9.0 wrote for a guest of each protocol.
const statusText = `[
  {
    "ip-address": "10.72.0.21",
    "mac-address": "52:54:00:00:72:33",
    "hostname": "guestx",
    "expiry-time": 1795940789
  },
  {
    "iaid": "29286",
    "ip-address": "fd72::174",
    "mac-address": "52:54:00:00:72:66",
    "client-id": "00:01:00:01:32:9e:91:fb:52:54:00:00:72:66",
    "server-duid": "00:01:00:01:32:9e:8f:97:52:54:00:20:91:ad",
    "expiry-time": 1795944860
  },
  {
    "ip-address": "10.71.0.5",
    "mac-address": "52:54:00:00:71:01",
    "hostname": "h1",
    "expiry-time": 0
  }
]
`

func TestLeasesOfTheLeaseHelper(t *testing.T) {
	t.Parallel()
	list, notes, err := parseStatus([]byte(statusText))
	want := `ipv4 10.72.0.21/32 52:54:00:00:72:33 iaid 0 until 1795940789 guestx
ipv6 fd72::174/128 52:54:00:00:72:66 iaid 29286 until 1795944860  00:01:00:01:32:9e:91:fb:52:54:00:00:72:66
ipv4 10.71.0.5/32 52:54:00:00:71:01 iaid 0 until never h1`
	if got := lines(list); err != nil || len(notes) > 0 || got != want {
		t.Errorf("%v, %v\n%s", notes, err, got)
	}
}

func TestLeasesThatMakeNoSenseAreToldAndLeftOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"ip-address": "x", "mac-address": "52:54:00:00:00:01"}`:                                      `"x" is not an address`,
		`{"ip-address": "10.0.0.1%eth0", "mac-address": "52:54:00:00:00:01"}`:                          `"10.0.0.1%eth0" is not an address`,
		`{"ip-address": "10.0.0.1"}`:                                                                   `10.0.0.1 has no MAC, by which leases are kept here`,
		`{"ip-address": "10.0.0.1", "mac-address": "52:54"}`:                                           `"52:54" is not an Ethernet address`,
		`{"ip-address": "fd00::1", "mac-address": "52:54:00:00:00:01", "iaid": "T1"}`:                  `fd00::1 is temporary`,
		`{"ip-address": "fd00::1", "mac-address": "52:54:00:00:00:01", "iaid": "4294967296"}`:          `"4294967296" is not an IAID`,
		`{"ip-address": "10.0.0.1", "mac-address": "52:54:00:00:00:01", "expiry-time": -1}`:            `"-1" is not a time`,
		`{"ip-address": "10.0.0.1", "mac-address": "52:54:00:00:00:01", "expiry-time": 999999999999}`:  `"999999999999" is not a time`,
		`{"ip-address": "10.0.0.1", "mac-address": "52:54:00:00:00:01", "expiry-time": "1795940789x"}`: `it is not written as one`,
		`7`: `it is not written as one`,
	} {
		list, notes, err := parseStatus([]byte(`[` + text + `, {"ip-address": "10.0.0.9", "mac-address": "52:54:00:00:00:09"}]`))
		if err != nil || addresses(list) != "10.0.0.9" || len(notes) != 1 || !strings.HasPrefix(notes[0], "lease 1 is left out: "+want) {
			t.Errorf("%s: %s, %q, %v", text, addresses(list), notes, err)
		}
	}
}

func TestLeasesOfDnsmasqItself(t *testing.T) {
	t.Parallel()
	list, notes, err := parseLeaseFile([]byte(`1795940789 52:54:00:00:72:33 10.72.0.21 guestx 01:52:54:00:00:72:33
0 52:54:00:00:72:34 10.72.0.22 * *
duid 00:01:00:01:32:9e:8f:97:52:54:00:20:91:ad
1795944860 29286 fd72::174 * 00:01:00:01:32:9e:91:fb:52:54:00:00:72:66
1795944860 7 fd72::175 g 00:03:00:01:52:54:00:00:72:67
1795944860 8 fd72::176 * 00:04:86:df:ee:5a:01:0e:44:11:ad:38:08:00:2b:10:22:33
1795944860 T9 fd72::177 * 00:03:00:01:52:54:00:00:72:67
this is nothing
`))
	want := `ipv4 10.72.0.21/32 52:54:00:00:72:33 iaid 0 until 1795940789 guestx 01:52:54:00:00:72:33
ipv4 10.72.0.22/32 52:54:00:00:72:34 iaid 0 until never
ipv6 fd72::174/128 52:54:00:00:72:66 iaid 29286 until 1795944860  00:01:00:01:32:9e:91:fb:52:54:00:00:72:66
ipv6 fd72::175/128 52:54:00:00:72:67 iaid 7 until 1795944860 g 00:03:00:01:52:54:00:00:72:67`
	wantNotes := `line 6 is left out: fd72::176 has no MAC, by which leases are kept here
line 7 is left out: fd72::177 is temporary
line 8 is left out: it is not a lease of five words`
	if got := lines(list); err != nil || got != want || strings.Join(notes, "\n") != wantNotes {
		t.Errorf("%v\n%s\n%s", err, got, strings.Join(notes, "\n"))
	}
}

func FuzzLeases(f *testing.F) {
	f.Add([]byte(statusText))
	f.Add([]byte("1795944860 7 fd72::175 g 00:03:00:01:52:54:00:00:72:67\n"))
	f.Add([]byte(leaseTable))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, _, _ := parseStatus(text)
		second, _, _ := parseLeaseFile(text)
		third, _ := parseLeaseTable(string(text))
		for _, l := range append(append(first, second...), third...) {
			if !l.Address.IsValid() || l.Address.Addr().Zone() != "" || l.State != "bound" {
				t.Errorf("read %+v", l)
			}
			if l.Expires != nil {
				if _, err := l.Expires.MarshalJSON(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
