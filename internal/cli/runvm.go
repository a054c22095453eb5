package cli

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// vm is a kind of program that runs a machine.
type vm string

// The kinds that need no placeholders.
const (
	qemuVM            vm = "QEMU"
	cloudHypervisorVM vm = "Cloud Hypervisor"
	crosvmVM          vm = "crosvm"
	firecrackerVM     vm = "Firecracker"
)

// vmOf tells the kind from the name of the program.
func vmOf(command []string) vm {
	switch name := filepath.Base(command[0]); {
	case strings.HasPrefix(name, "qemu-system-"), name == "qemu-kvm", name == "kvm", name == "qemu":
		return qemuVM
	case strings.HasPrefix(name, "cloud-hypervisor"):
		return cloudHypervisorVM
	case name == "crosvm":
		return crosvmVM
	case strings.HasPrefix(name, "firecracker"):
		return firecrackerVM
	}
	return ""
}

// opensByName reports whether it takes a tap by its name only. Crosvm takes the
// descriptor of one queue.
func (v vm) opensByName(queues int) bool { return v == firecrackerVM || v == crosvmVM && queues > 1 }

// placeholder is {tap}, {mac1}.
var placeholder = regexp.MustCompile(`\{(tap|mac|ip|gateway|mtu|fds?|vhostfds?)([0-9]*)\}`)

// wire decides how the machine gets at each tap.
func (r *run) wire() error {
	uses, err := r.placeholders()
	if err != nil {
		return err
	}
	for i, n := range r.nics {
		fd, tap := uses[hole("fd", i)] || uses[hole("fds", i)], uses[hole("tap", i)]
		n.own = fd || tap
		if n.by == "" && n.own {
			n.by = map[bool]string{true: byFD, false: byTapName}[fd]
		}
		switch {
		case r.vm == "" && n.by == "":
			return usagef("%s is none of QEMU, Cloud Hypervisor, crosvm and Firecracker: say in its arguments where the tap of --net %s goes,\n"+
				"with %s for its name or %s for its descriptor and %s for the MAC; or add by=name or by=fd to --net when it reads them from its environment",
				r.command[0], n.request.Network, hole("tap", i), hole("fd", i), hole("mac", i))
		case n.by == byFD && fd && n.request.Queues > 1 && !uses[hole("fds", i)]:
			return usagef("--net %s has %d queues: %s is for one, %s for all", n.request.Network, n.request.Queues, hole("fd", i), hole("fds", i))
		case r.vm.opensByName(n.request.Queues) && n.by == byFD && !n.own:
			return usagef("--net %s: %s takes no descriptors for it; leave by=fd out", n.request.Network, r.vm)
		}
		n.request.ByName = n.by == byTapName || n.by == "" && r.vm.opensByName(n.request.Queues)
		n.request.Vhost = r.vhost != vhostOff && !n.request.ByName && (r.vm == qemuVM && !n.own || uses[hole("vhostfd", i)] || uses[hole("vhostfds", i)])
		if r.vhost == vhostOn && !n.request.Vhost {
			return usagef("--vhost on: %s does not get the descriptors of %s for --net %s; leave --vhost out", r.command[0], vhostNet, n.request.Network)
		}
	}
	return nil
}

// placeholders lists those in the command. {tap0} is {tap}.
func (r *run) placeholders() (map[string]bool, error) {
	uses := map[string]bool{}
	for _, word := range r.command[1:] {
		for _, m := range placeholder.FindAllStringSubmatch(word, -1) {
			i, _ := strconv.Atoi(m[2])
			if i >= len(r.nics) {
				return nil, usagef("%s is of NIC %d, and the last --net is of NIC %d", m[0], i, len(r.nics)-1)
			}
			uses[hole(m[1], i)] = true
		}
	}
	return uses, nil
}

// arguments are the command with all that the machine needs to know.
func (r *run) arguments() ([]string, error) {
	args := []string{r.command[0]}
	for _, word := range r.command[1:] {
		filled, err := r.fill(word)
		if err != nil {
			return nil, err
		}
		args = append(args, filled)
	}
	return r.addNICs(args), nil
}

// addNICs adds those that the command does not speak of itself.
func (r *run) addNICs(args []string) []string {
	var values []string // of Cloud Hypervisor's --net
	at := slices.Index(args, "run") + 1
	for i, n := range r.nics {
		switch w := n.wiring(i); {
		case n.own:
		case r.vm == qemuVM:
			args = append(args, w.qemu()...)
		case r.vm == cloudHypervisorVM:
			values = append(values, w.cloudHypervisor())
		case r.vm == crosvmVM:
			args = slices.Insert(args, max(at, 1), w.crosvm()...)
			at = max(at, 1) + 2
		}
	}
	if len(values) > 0 {
		args = append(append(args, "--net"), values...)
	}
	return args
}

// fill replaces the placeholders in a word.
func (r *run) fill(word string) (string, error) {
	var failed error
	filled := placeholder.ReplaceAllStringFunc(word, func(text string) string {
		m := placeholder.FindStringSubmatch(text)
		i, _ := strconv.Atoi(m[2])
		value := r.nics[i].values()[m[1]]
		switch {
		case value == "" && r.dry:
			return text
		case value == "":
			failed = fmt.Errorf("%s is not known: the NIC on %s has %s", text, r.nics[i].request.Network, lacking[m[1]])
		}
		return value
	})
	return filled, failed
}

// lacking tells why something of a NIC is not known.
var lacking = map[string]string{
	"ip": "no fixed address; say which with ip= behind --net", "gateway": "no gateway on its network",
	"mac": "none", "mtu": "none", "fd": "no descriptor: it is opened by name", "fds": "no descriptor: it is opened by name",
	"vhostfd": "no descriptor of " + vhostNet, "vhostfds": "no descriptor of " + vhostNet,
}

// values are what placeholders and the environment tell of a NIC.
func (n *nic) values() map[string]string {
	p := n.opened.Port
	v := map[string]string{"tap": p.Spec.Interface, "fds": numbers(n.fds, ":"), "vhostfds": numbers(n.vhosts, ":"), "mtu": number(p.Status.MTU)}
	if !p.Spec.MAC.IsZero() {
		v["mac"] = p.Spec.MAC.String()
	}
	v["fd"], _, _ = strings.Cut(v["fds"], ":")
	v["vhostfd"], _, _ = strings.Cut(v["vhostfds"], ":")
	if len(p.Spec.Addresses) > 0 {
		v["ip"] = p.Spec.Addresses[0].String()
	}
	for _, g := range p.Status.Gateways {
		address, _, _ := strings.Cut(g, "/")
		if v["gateway"] == "" || len(p.Spec.Addresses) > 0 && p.Spec.Addresses[0].Is6() == strings.Contains(address, ":") {
			v["gateway"] = address
		}
	}
	return v
}

// environment is the machine's: ours, and what it may want to know.
func (r *run) environment(env []string) []string {
	env = slices.Clone(env)
	for i, n := range r.nics {
		v := n.values()
		for _, word := range []string{"tap", "mac", "ip", "gateway", "fds", "vhostfds"} {
			if v[word] != "" {
				env = append(env, fmt.Sprintf("KVMNET_%s%d=%s", strings.ToUpper(word), i, v[word]))
			}
		}
	}
	return r.as.environment(env)
}
