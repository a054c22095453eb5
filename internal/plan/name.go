package plan

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"kvmnet/internal/spec"
)

// HostEnd names the end that stays with the host of a pair by which a router is
// plugged in: r1-eth0, or the beginning of that and a hash.
func HostEnd(router, ifname string) string {
	name := router + "-" + ifname
	if len(name) <= spec.MaxInterfaceName {
		return name
	}
	return strings.TrimLeft(router[:min(len(router), spec.MaxInterfaceName-hashLength-1)], "-") + "-" + hashOf(name)
}

// hostEndOf names the host's end of a link of a router; "" where it has none.
func hostEndOf(l Link) string {
	if l.NS == "" || l.Type != "veth" {
		return ""
	}
	return HostEnd(l.NS, l.Name)
}

const hashLength = 6

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum)[:hashLength]
}

// chainName names a chain that is made for an interface: policy_from_lab0. What
// cannot be part of a word of nft becomes an underscore, with a hash behind.
func chainName(kind, ifname string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, ifname)
	if plain != ifname {
		plain += "_" + hashOf(ifname)
	}
	return kind + "_" + plain
}
