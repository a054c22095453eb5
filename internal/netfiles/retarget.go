package netfiles

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// commandEnds are where a command of a shell line ends and another begins.
var commandEnds = regexp.MustCompile(`&&|\|\||[;|&\n]`)

// retarget has the commands of a line speak of the bridge where they spoke of the NIC as
// a way of packets. What is about the device stays. It reports whether the NIC is
// named in another way.
func retarget(raw, nic, bridge string) (text string, left bool) {
	var b strings.Builder
	for at := 0; at < len(raw); {
		end := len(raw)
		if next := commandEnds.FindStringIndex(raw[at:]); next != nil {
			end = at + next[1]
		}
		part, unclear := retargetOne(raw[at:end], nic, bridge)
		b.WriteString(part)
		left = left || unclear
		at = end
	}
	return b.String(), left
}

// hooks are the options whose value is a command.
var hooks = []string{"up", "pre-up", "post-up", "down", "pre-down", "post-down"}

func retargetOne(command, nic, bridge string) (string, bool) {
	name := regexp.QuoteMeta(nic)
	edge := `($|[^A-Za-z0-9_.:-])`
	named := regexp.MustCompile(`(^|[^A-Za-z0-9_.:-])` + name + edge)
	if !named.MatchString(command) && !strings.Contains(command, nic) {
		return command, false
	}
	words := strings.Fields(command)
	if len(words) > 0 && slices.Contains(hooks, words[0]) {
		words = words[1:]
	}
	if aboutDevice(words) {
		return command, false
	}
	// sysctl names: net.ipv4.conf.eth0.rp_filter, /proc/sys/net/ipv6/conf/eth0/accept_ra
	command = regexp.MustCompile(`(ipv[46][./](?:conf|neigh)[./])`+name+`([./])`).ReplaceAllString(command, "${1}"+bridge+"${2}")
	way := regexp.MustCompile(`((?:^|\s)(?:dev|oif|iif|-o|-i|--out-interface|--in-interface|oifname|iifname)[ \t=]+["']?)` + name + edge)
	for range 8 {
		command = way.ReplaceAllString(command, "${1}"+bridge+"${2}")
	}
	if len(words) > 0 && path.Base(words[0]) == "route" {
		command = named.ReplaceAllString(command, "${1}"+bridge+"${2}")
	}
	return command, named.MatchString(command)
}

// aboutDevice reports whether a command is about the device as such.
func aboutDevice(words []string) bool {
	if len(words) == 0 {
		return false
	}
	switch path.Base(words[0]) {
	case "ethtool", "tc", "mii-tool", "iw", "iwconfig", "lldptool", "vconfig":
		return true
	case "ip":
		return len(words) > 1 && strings.HasPrefix("link", words[1])
	}
	return false
}
