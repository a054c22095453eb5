package spec

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOptionsAreEncoded(t *testing.T) {
	t.Parallel()
	cases := []struct {
		v6         bool
		key, value string
		code       uint16
		want       string // hexadecimal
	}{
		{false, "router", "192.168.1.1", 3, "c0a80101"},
		{false, "3", "192.168.1.1", 3, "c0a80101"},
		{false, "dns", " 1.1.1.1 ,8.8.8.8", 6, "0101010108080808"},
		{false, "domain", "lab.internal", 15, hex.EncodeToString([]byte("lab.internal"))},
		{false, "search", "lab.internal, a", 119, "036c616208696e7465726e616c00" + "016100"},
		{false, "mtu", "1400", 26, "0578"},
		{false, "26", "1400", 26, "0578"}, // the type of a known number is known
		{false, "time-offset", "-18000", 2, "ffffb9b0"},
		{false, "ip-forwarding", "true", 19, "01"},
		{false, "ip-forwarding", "false", 19, "00"},
		{false, "default-ttl", "64", 23, "40"},
		{false, "vendor", "01:04:c0:a8:01:01", 43, "0104c0a80101"},
		{false, "vendor", "0104C0A80101", 43, "0104c0a80101"},
		{false, "ntp", "none", 42, ""},
		{false, "42", "none", 42, ""},
		{false, "routes", "10.0.0.0/8 via 192.168.1.1", 121, "080ac0a80101"},
		// The examples of RFC 3442: as many octets as the prefix has.
		{false, "routes", "default via 10.0.0.1, 10.0.0.0/8 via 10.0.0.1, 10.17.0.0/16 via 10.0.0.1, 10.27.129.0/24 via 10.0.0.1, 10.229.0.128/25 via 10.0.0.1, 10.198.122.47/32 via 10.0.0.1", 121,
			"000a000001" + "080a0a000001" + "100a110a000001" + "180a1b810a000001" + "190ae500800a000001" + "200ac67a2f0a000001"},
		{false, "200", "10.0.0.1, 10.0.0.2", 200, "0a0000010a000002"},
		{false, "200", "some text", 200, hex.EncodeToString([]byte("some text"))},
		{false, "200", "text: 7", 200, "37"},
		{false, "200", "u8: 7", 200, "07"},
		{false, "200", "u16: 7", 200, "0007"},
		{false, "200", "u32: 7", 200, "00000007"},
		{false, "200", "hex: 01:02", 200, "0102"},
		{false, "200", "bool: true", 200, "01"},
		{false, "200", "ip: 10.0.0.1", 200, "0a000001"},
		{false, "66", "hex: 00", 66, "00"}, // a prefix is stronger than the table
		{false, "boot-file", "ip: is a text here", 67, hex.EncodeToString([]byte("ip: is a text here"))},
		{true, "dns", "fd00::1", 23, "fd000000000000000000000000000001"},
		{true, "search", "lab", 24, "036c616200"},
		{true, "refresh-time", "600", 32, "00000258"},
		{true, "ntp", "fd00::1, ff05::101, ntp.lab", 56,
			"00010010fd000000000000000000000000000001" + "00020010ff050000000000000000000000000101" + "00030009036e7470036c616200"},
		{true, "59", "tftp://[fd00::1]/x", 59, hex.EncodeToString([]byte("tftp://[fd00::1]/x"))},
		{true, "65535", "fd00::1", 65535, "fd000000000000000000000000000001"},
	}
	for _, c := range cases {
		code, data, err := EncodeOption(c.v6, c.key, c.value)
		if err != nil || code != c.code || hex.EncodeToString(data) != c.want || (data == nil) != (c.value == NotSent) {
			t.Errorf("%s: %s: got %d %x, %v, want %d %s", c.key, c.value, code, data, err, c.code, c.want)
		}
	}
}

func TestOptionsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	cases := []struct {
		v6               bool
		key, value, want string
	}{
		{false, "", "x", `"" is not an option of DHCPv4 that has a name here (write its number)`},
		{false, "ruoter", "x", `"ruoter" is not an option of DHCPv4 (did you mean router?)`},
		{true, "mtu", "1400", "DHCPv6 has no option mtu (router advertisements tell it)"},
		{true, "wpad", "x", "DHCPv6 has no option wpad (write its number if there is one)"},
		{false, "51", "60", "the server sets the option 51 itself (write leaseTime beside the options)"},
		{false, "client-id", "x", "the server sets the option client-id itself (clients send it, a reservation can ask for it: clientID)"},
		{true, "3", "x", "the server sets the option 3 itself (remove it)"},
		{true, "65536", "x", "65536 is not the number of an option of DHCPv6, they go from 1 to 65535"},
		{true, "0", "x", "0 is not the number of an option of DHCPv6, they go from 1 to 65535"},
		{false, "99999999999999999999", "x", "99999999999999999999 is not the number of an option of DHCPv4, they go from 1 to 254"},
		{false, "200", "5", "how many bytes the number 5 has is not known (write u8: 5, u16: 5, u32: 5 or text: 5)"},
		{false, "200", "", "the option has no value (write none to not send it)"},
		{false, "200", "hex: ", "the option has no value (write none to not send it)"},
		{false, "dns", "", "the option has no value (write none to not send it)"},
		{false, "200", "fd00::1", "fd00::1 is IPv6, DHCPv4 sends IPv4 addresses here"},
		{true, "dns", "fe80::1%eth0", "fe80::1%eth0 cannot be sent to a guest"},
		{false, "dns", "1.1.1.1,", `"" is not an address`},
		{false, "vendor-class", "a\nb", `the text must be one line without control characters, it contains '\n'`},
		{false, "vendor-class", strings.Repeat("x", MaxOption+1), "the option has 1025 bytes, at most 1024 can be sent"},
		{false, "routes", "10.0.0.0/8 via fd00::1", `"10.0.0.0/8 via fd00::1" is not a route such as 10.0.0.0/8 via 192.168.1.1`},
		{true, "ntp", "-", `"-" is not a host name because a label begins or ends with a dash`},
	}
	for _, c := range cases {
		if _, data, err := EncodeOption(c.v6, c.key, c.value); err == nil || err.Error() != c.want || data != nil {
			t.Errorf("%s: %.40s: got %x, %v, want %s", c.key, c.value, data, err, c.want)
		}
	}
}

func TestOptionTablesAreSound(t *testing.T) {
	t.Parallel()
	for _, v6 := range []bool{false, true} {
		codes, names := map[uint16]bool{}, map[string]bool{}
		add := func(code uint16, name string) {
			if codes[code] || names[name] || !isWord(name) || name != strings.ToLower(name) {
				t.Errorf("%s: %d %s is there twice, or is no name", protocol(v6), code, name)
			}
			codes[code], names[name] = true, true
		}
		for _, o := range optionTable(v6) {
			add(o.code, o.name)
		}
		for _, o := range ownedTable(v6) {
			add(o.code, o.name)
		}
		if !slices.IsSortedFunc(optionTable(v6), func(a, b option) int { return int(a.code) - int(b.code) }) {
			t.Errorf("the options of %s are not in order", protocol(v6))
		}
	}
}

func TestNamesAndNumbersOfOptionsMeanTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		o := rapid.SampledFrom(optionTable(v6)).Draw(t, "option")
		value := rapid.SampledFrom([]string{"10.0.0.1", "fd00::1", "7", "a.b", "true", "01:02", "10.0.0.0/8 via 10.0.0.1", "none", ""}).Draw(t, "value")
		code, data, err := EncodeOption(v6, o.name, value)
		code2, data2, err2 := EncodeOption(v6, strconv.Itoa(int(o.code)), value)
		if code != code2 || string(data) != string(data2) || (err == nil) != (err2 == nil) || code != o.code {
			t.Fatalf("%s: %d %x %v, by number %d %x %v", o.name, code, data, err, code2, data2, err2)
		}
	})
}

func FuzzEncodeOption(f *testing.F) {
	for _, seed := range [][2]string{{"dns", "1.1.1.1, fd00::1"}, {"200", "u16: 5"}, {"routes", "10.0.0.0/8 via 10.0.0.1"}, {"ntp", "a.b, fd00::1"}, {"43", "hex:0102"}, {"search", "a.b,c"}, {"51", "1"}, {"70", "hex"}, {"70", "hex:"}} {
		f.Add(false, seed[0], seed[1])
		f.Add(true, seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, v6 bool, key, value string) {
		code, data, err := EncodeOption(v6, key, value)
		switch {
		case err != nil && (data != nil || err.Error() == ""):
			t.Fatalf("%x with %v", data, err)
		case err == nil && (code == 0 || !v6 && code > 254 || len(data) > MaxOption):
			t.Fatalf("%d %x", code, data)
		case err == nil && len(data) == 0 && strings.TrimSpace(value) != NotSent:
			t.Fatalf("%q is nothing", value)
		}
	})
}
