package spec

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// naming hands out interface names that are used once.
type naming struct {
	taken  map[string]bool
	wanted []wantedName
}

type wantedName struct {
	field         *string
	natural, seed string
}

// takeSet reserves every interface name the Spec spells out, those of the host
// included.
func (n *naming) takeSet(s *Spec) {
	n.taken = map[string]bool{}
	for _, network := range sorted(s.Networks) {
		n.taken[network.Bridge.Name] = true
		n.taken[network.Uplink] = true
	}
	for name, bridge := range sorted(s.Bridges) {
		n.taken[name] = true
		for _, port := range bridge.Ports {
			n.taken[port] = true
		}
	}
	for _, port := range sorted(s.Ports) {
		n.taken[port.Interface] = true
		n.taken[port.Peer] = true
	}
	for name, router := range sorted(s.Routers) {
		n.takeRouter(name, router)
	}
}

// takeRouter reserves what a router has, or names, in the host's namespace.
func (n *naming) takeRouter(name string, r *Router) {
	for _, inside := range r.InterfaceNames() {
		n.taken[HostEnd(name, inside)] = true
	}
	for inside, u := range r.Ways() {
		n.taken[HostEnd(name, inside)] = true
		n.taken[u.Bridge], n.taken[u.NIC] = true, true
	}
}

func (n *naming) want(field *string, natural, seed string) {
	n.wanted = append(n.wanted, wantedName{field, natural, seed})
}

// assign fills the wanted names: first those that can be had as they are, so
// that no shortened name takes them, then the others.
func (n *naming) assign() {
	for _, w := range n.wanted {
		if CheckInterfaceName(w.natural) == nil && !strings.Contains(w.natural, ",") && !n.taken[w.natural] {
			n.give(w, w.natural)
		}
	}
	for _, w := range n.wanted {
		for i := 0; *w.field == ""; i++ {
			if name := shorten(w.natural, w.seed, i); !n.taken[name] {
				n.give(w, name)
			}
		}
	}
	n.wanted = nil
}

func (n *naming) give(w wantedName, name string) {
	*w.field = name
	n.taken[name] = true
}

// shorten makes an interface name of at most MaxInterfaceName bytes from the
// beginning of a name and five characters (25 bits) of a hash. The try number
// changes the hash.
func shorten(natural, seed string, try int) string {
	sum := sha256.Sum256([]byte(seed + "#" + strconv.Itoa(try)))
	hash := strings.ToLower(base32.HexEncoding.EncodeToString(sum[:]))[:5]
	head := strings.Map(func(r rune) rune {
		if strings.ContainsRune(wordCharacters+".", r) {
			return r
		}
		return '_'
	}, natural)
	head = strings.TrimLeft(head[:min(len(head), MaxInterfaceName-len(hash)-1)], "-")
	return head + "-" + hash
}

// freeMAC derives an address from a seed that is not yet taken.
func freeMAC(seed string, taken map[MAC]bool) MAC {
	mac := GenerateMAC(seed)
	for i := 1; taken[mac]; i++ {
		mac = GenerateMAC(seed + "#" + strconv.Itoa(i))
	}
	return mac
}
