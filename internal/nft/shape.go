package nft

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// shape is the type of a map or set of the program: how its keys are written,
// and whether a verdict follows.
type shape struct {
	key     keyType
	verdict bool
}

type keyType int

const (
	ifname keyType = iota // lab0
	ifpair                // lab0 . eth0
	ifmac                 // br0 . 52:54:00:12:34:56
	ipv4                  // 10.0.0.1
	ipv6                  // fd00::1
)

// shapes are the maps and sets that program.nft declares; a test compares the
// two.
var shapes = map[string]shape{
	"bridges":     {key: ifname},
	"segments":    {key: ifpair},
	"routers":     {key: ifmac},
	"from":        {key: ifname, verdict: true},
	"to":          {key: ifname, verdict: true},
	"input":       {key: ifname, verdict: true},
	"pinned":      {key: ifname},
	"egress":      {key: ifpair},
	"masquerade4": {key: ifname},
	"masquerade6": {key: ifname},
	"held4":       {key: ifname},
	"held6":       {key: ifname},
	"gateways4":   {key: ipv4},
	"gateways6":   {key: ipv6},
}

// size is the length of the key in bytes.
func (k keyType) size() int {
	switch k {
	case ifname:
		return unix.IFNAMSIZ
	case ifpair:
		return 2 * unix.IFNAMSIZ
	case ifmac:
		return unix.IFNAMSIZ + macField
	case ipv4:
		return 4
	}
	return 16
}

// encode turns a key as nft prints it into the kernel's bytes.
func (k keyType) encode(id string) ([]byte, error) {
	switch k {
	case ifname:
		return encodeNames(id)
	case ifpair:
		a, b, ok := strings.Cut(id, " . ")
		if !ok {
			return nil, fmt.Errorf("%q is not a pair of interfaces such as lab0 . eth0", id)
		}
		return encodeNames(a, b)
	case ifmac:
		return encodeMAC(id)
	}
	addr, err := netip.ParseAddr(id)
	if err != nil || addr.BitLen() != 8*k.size() || addr.Zone() != "" {
		return nil, fmt.Errorf("%q is not an address of %d bits", id, 8*k.size())
	}
	return addr.AsSlice(), nil
}

// macField is the room of an Ethernet address in a key of several fields, each of
// which is padded to 32-bit words.
const macField = 8

func encodeMAC(id string) ([]byte, error) {
	name, text, _ := strings.Cut(id, " . ")
	mac, err := spec.ParseMAC(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an interface and an Ethernet address such as br0 . 52:54:00:12:34:56", id)
	}
	key, err := encodeNames(name)
	return append(append(key, mac[:]...), 0, 0), err
}

// encodeNames pads each name to IFNAMSIZ. The forbidden characters are those the
// kernel refuses in a name, and those that nft text cannot carry in quotes: it
// has no escape for a quote, and reads a final asterisk as a wildcard.
func encodeNames(names ...string) ([]byte, error) {
	var key []byte
	for _, name := range names {
		if name == "" || len(name) >= unix.IFNAMSIZ || strings.ContainsFunc(name, forbidden) {
			return nil, fmt.Errorf("%q is not an interface name of 1 to 15 plain characters", name)
		}
		var field [unix.IFNAMSIZ]byte
		copy(field[:], name)
		key = append(key, field[:]...)
	}
	return key, nil
}

func forbidden(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/:"*\`, r) }

// decode is the inverse of encode.
func (k keyType) decode(key []byte) (string, error) {
	if len(key) != k.size() {
		return "", fmt.Errorf("key of %d bytes, want %d", len(key), k.size())
	}
	switch k {
	case ifname:
		return cname(key), nil
	case ifpair:
		return cname(key[:unix.IFNAMSIZ]) + " . " + cname(key[unix.IFNAMSIZ:]), nil
	case ifmac:
		return cname(key[:unix.IFNAMSIZ]) + " . " + spec.MAC(key[unix.IFNAMSIZ:unix.IFNAMSIZ+6]).String(), nil
	}
	addr, _ := netip.AddrFromSlice(key)
	return addr.String(), nil
}

// quote writes a key for nft -f: names in quotes, since they may begin with a
// digit or hold a dot.
func (k keyType) quote(id string) string {
	switch k {
	case ifname:
		return `"` + id + `"`
	case ifpair:
		return `"` + strings.Replace(id, " . ", `" . "`, 1) + `"`
	case ifmac:
		return `"` + strings.Replace(id, " . ", `" . `, 1)
	}
	return id
}

func cname(b []byte) string {
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}
