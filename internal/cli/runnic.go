package cli

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// nic is a NIC of the machine to run.
type nic struct {
	request api.OpenPort
	by      string // "name" or "fd" when it is said
	own     bool   // the command says by itself where it goes

	opened      api.Opened
	files       []*os.File
	fds, vhosts []int // as the machine sees them
}

// The ways in which a machine gets at a tap.
const (
	byTapName = "name"
	byFD      = "fd"
)

// readNIC reads a --net. Lists go on behind further commas: guard=mac,address.
func readNIC(text string) (*nic, error) {
	parts := strings.Split(text, ",")
	n := &nic{request: api.OpenPort{Network: parts[0]}}
	if parts[0] == "" || strings.Contains(parts[0], "=") {
		return nil, usagef("--net %s: it begins with the name of a network, such as lab,mac=52:54:00:11:22:33", text)
	}
	key := ""
	for _, part := range parts[1:] {
		k, value, given := strings.Cut(part, "=")
		if !given {
			value = k
		} else {
			key = k
		}
		if err := n.set(key, value); err != nil {
			return nil, usagef("--net %s: %v", text, err)
		}
	}
	if err := spec.CheckGuard(n.request.Guard); err != nil {
		return nil, usagef("--net %s: %v", text, err)
	}
	return n, nil
}

func (n *nic) set(key, value string) (err error) {
	r := &n.request
	switch key {
	case "mac":
		r.MAC, err = spec.ParseMAC(value)
	case "ip":
		var a netip.Addr
		if a, err = netip.ParseAddr(value); err != nil {
			return fmt.Errorf("%q is not an IP address such as 10.9.0.20", value)
		}
		r.Addresses = append(r.Addresses, a)
	case "guard":
		r.Guard = spec.Guard(strings.TrimPrefix(string(r.Guard)+","+value, ","))
	case "queues":
		if r.Queues, err = strconv.Atoi(value); err != nil || r.Queues < 1 || r.Queues > 256 {
			return fmt.Errorf("queues=%s is not a number from 1 to 256", value)
		}
	case "name":
		r.Name = value
	case "by":
		if n.by = value; value != byTapName && value != byFD {
			return fmt.Errorf("by=%s is neither by=name nor by=fd", value)
		}
	default:
		return fmt.Errorf("%q is none of name, mac, ip, guard, queues and by", cmp.Or(key, value))
	}
	return err
}

// wiring is how the machine is told of the NIC.
func (n *nic) wiring(i int) wiring {
	return wiring{port: n.opened.Port, id: fmt.Sprintf("kvmnet%d", i), taps: n.fds, vhosts: n.vhosts}
}

// number gives the descriptors the numbers that the machine sees.
func (n *nic) number(numbers []int) {
	n.fds, n.vhosts = numbers[:n.opened.Taps], numbers[n.opened.Taps:]
}

// pretend fills in what the daemon would have answered, with descriptors from a number
// on, and returns the next one.
func (n *nic) pretend(i, fd int) int {
	r := n.request
	p := &spec.Port{Network: r.Network, Interface: hole("tap", i), MAC: r.MAC, Addresses: r.Addresses, Queues: r.Queues}
	if p.MAC.IsZero() {
		p.MAC = noMAC(i)
	}
	n.opened.Port = api.Port{Name: cmp.Or(r.Name, r.Network), Spec: p, Status: api.PortStatus{Gateways: []string{hole("gateway", i)}}}
	if r.ByName {
		return fd
	}
	n.opened.Taps = max(r.Queues, 1)
	if _, err := os.Stat(vhostNet); err == nil && r.Vhost {
		n.opened.Vhosts = n.opened.Taps
	}
	var numbers []int
	for range n.opened.Taps + n.opened.Vhosts {
		numbers = append(numbers, fd)
		fd++
	}
	n.number(numbers)
	return fd
}

// noMAC stands for a MAC that is not known yet. No guest has it: it is a group's.
func noMAC(i int) spec.MAC { return spec.MAC{0x03, 0, 0, 0, byte(i >> 8), byte(i)} }

// unpretend puts placeholders where MACs are not known.
func (r *run) unpretend(word string) string {
	for i := range r.nics {
		word = strings.ReplaceAll(word, noMAC(i).String(), hole("mac", i))
	}
	return word
}

// hole is the placeholder for something of a NIC.
func hole(what string, i int) string {
	if i == 0 {
		return "{" + what + "}"
	}
	return fmt.Sprintf("{%s%d}", what, i)
}
