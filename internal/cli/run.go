package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/handover"
)

// run is one call of kvmnet run.
type run struct {
	*app
	nics    []*nic
	vm      vm
	command []string
	as      *identity // who the VM runs as; nil = as it is
	vhost   string
	guest   string
	dry     bool
	left    []func() // what is to be done when the VM has ended
}

func (a *app) runCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run --net NETWORK[,mac=…][,ip=…]… [--] COMMAND [ARGUMENT...]", Short: "run a virtual machine with NICs on networks",
		Long: `Run gives a virtual machine NICs: it opens a tap for each --net, and runs the
command with it. The NICs are gone when the machine ends, however it ends. Users
who are not root may have those that a network's access: lets them have.

QEMU, Cloud Hypervisor, crosvm and Firecracker get the arguments that are needed,
Firecracker in its --config-file. Other commands, and those that shall look
otherwise, say where things go: {tap}, {mac}, {ip}, {gateway}, {mtu}, {fd}, {fds},
{vhostfd} and {vhostfds} in their arguments are replaced by those of the first
NIC, {tap1} by that of the second. A tap that is only named is opened by its name,
else the command inherits its descriptors. In its environment are KVMNET_TAP0,
KVMNET_MAC0, KVMNET_IP0, KVMNET_GATEWAY0 and KVMNET_FDS0, and so on.

A --net has the name of a network and, behind commas: name= of the port, mac=,
ip=, guard=, queues=, and by=name or by=fd.

Called by root through sudo, the machine runs as the user who called.`,
		Example: `  kvmnet run --net lab -- qemu-system-x86_64 -m 1G -drive file=vm1.qcow2
  kvmnet run --net lab,ip=10.9.0.20 --net red,queues=4 -- qemu-system-x86_64 -m 1G
  kvmnet run --net lab -- cloud-hypervisor --kernel vmlinux --disk path=vm1.img
  kvmnet run --net lab -- firecracker --no-api --config-file vm1.json
  kvmnet run --net lab -- ./my-vmm --tap {tap} --mac {mac}
  kvmnet run --net lab --dry-run -- qemu-system-x86_64`,
		Args: some("COMMAND"), ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		}}
	var nets []string
	var user string
	r := &run{app: a}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the command belongs to it
	f.StringArrayVar(&nets, "net", nil, "`NETWORK[,mac=…][,ip=…]` of a NIC; may be repeated")
	f.StringVar(&user, "user", "", "`user` that the machine runs as, by name or number; for root only")
	f.StringVar(&r.guest, "guest", "", "`name` of the virtual machine, for people")
	f.BoolVar(&r.dry, "dry-run", false, "print the command, and open nothing")
	vhost := choose(cmd, "vhost", "", "QEMU: whether the kernel moves the packets", vhostAuto, vhostOn, vhostOff)
	cmd.RegisterFlagCompletionFunc("net", a.completeRunNet)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		r.command, r.vhost = args, vhost.value
		if err := r.prepare(nets, user); err != nil {
			return err
		}
		if r.dry {
			return r.show()
		}
		return r.do(cmd.Context())
	}
	return cmd
}

func (a *app) completeRunNet(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.networkNames(anyNetwork, nil), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// prepare reads what is asked for.
func (r *run) prepare(nets []string, user string) (err error) {
	if len(nets) == 0 {
		return usage("missing --net NETWORK: which network a NIC is on")
	}
	if r.as, err = whoRuns(user); err != nil {
		return err
	}
	for _, text := range nets {
		n, err := readNIC(text)
		if err != nil {
			return err
		}
		r.nics = append(r.nics, n)
	}
	r.vm = vmOf(r.command)
	return r.wire()
}

// do opens the NICs, all or none, and runs the machine.
func (r *run) do(ctx context.Context) error {
	program, err := exec.LookPath(r.command[0])
	if err != nil {
		return err
	}
	client, err := handover.Dial(handover.Path(r.socketPath(runtimeFolder()), ""))
	if err != nil {
		return err
	}
	defer client.Close()
	defer r.leave()
	for _, n := range r.nics {
		if err := r.open(ctx, client, n); err != nil {
			return err
		}
	}
	if !r.byName() {
		return r.become(program)
	}
	return r.watch(ctx, program)
}

// open opens one NIC.
func (r *run) open(ctx context.Context, client *handover.Client, n *nic) (err error) {
	q := n.request
	q.Guest = r.guest
	if r.as != nil {
		q.Owner = fmt.Sprint(r.as.uid)
	}
	if n.opened, n.files, err = client.Open(ctx, q); err != nil {
		return err
	}
	r.left = append(r.left, func() {
		for _, f := range n.files {
			f.Close()
		}
	})
	if q.Vhost && n.opened.Vhosts == 0 && r.vhost == vhostOn {
		return fmt.Errorf("the host has no %s; load it with 'modprobe vhost_net', or leave --vhost out", vhostNet)
	}
	return nil
}

// byName reports whether a tap is opened by its name: then somebody has to keep the
// port until the machine has done so.
func (r *run) byName() bool {
	for _, n := range r.nics {
		if n.request.ByName {
			return true
		}
	}
	return false
}

func (r *run) leave() {
	for _, do := range r.left {
		do()
	}
}

// show prints the command as it would be run. What only the daemon knows is left as a
// placeholder.
func (r *run) show() error {
	fd := 3
	for i, n := range r.nics {
		fd = n.pretend(i, fd)
	}
	args, err := r.arguments()
	if err != nil {
		return err
	}
	var words []string
	for _, a := range args {
		words = append(words, quote(r.unpretend(a)))
	}
	fmt.Fprintln(r.Stdout, strings.Join(words, " "))
	return nil
}

// quote writes a word as a shell reads it.
func quote(word string) string {
	plain := func(c rune) bool {
		return !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune("_@%+=:,./{}-", c)
	}
	if word != "" && strings.IndexFunc(word, plain) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// runtimeFolder is where the daemon's sockets are.
func runtimeFolder() string {
	if dir := os.Getenv("KVMNET_RUNTIME_DIR"); dir != "" {
		return dir
	}
	return runtimeDir
}
