package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (a *app) routerExecCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "exec NAME [--] COMMAND [ARGUMENT...]", Short: "run a command inside a router",
		Long: `Exec runs a command in the network namespace of a router, as 'ip netns exec' does:
with this terminal, and with the exit code of the command. It needs root.`,
		Example: `  kvmnet router exec r1 ip addr
  kvmnet router exec r1 -- nft list table inet kvmnet
  kvmnet router exec r1 -- tcpdump -ni uplink`,
		Args: between(2, 1<<20, "NAME", "COMMAND"), ValidArgsFunction: a.complete(routers, false)}
	cmd.Flags().SetInterspersed(false) // what follows the name belongs to the command
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		command := args[1:]
		if command[0] == "--" {
			command = command[1:]
		}
		if len(command) == 0 {
			return usage("missing COMMAND")
		}
		r, err := a.client().Router(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return execInside(r.Status.Namespace, command)
	}
	return cmd
}

// execInside becomes a command in a network namespace: what it reads and writes, its
// signals and its exit code need nobody in between. It returns when that fails only.
func execInside(path string, command []string) error {
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // and never unlocked: this thread is the new program's
	if err := enter(path); err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", program, unix.Exec(program, command, os.Environ()))
}

// enter moves the calling thread into a namespace. It gets a /sys of its own, which
// otherwise tells of the devices of the namespace that mounted it.
func enter(path string) error {
	ns, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("enter the router's namespace: %w", err)
	}
	defer ns.Close()
	err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("enter the router's namespace %s: only root may", path)
	}
	if err != nil {
		return fmt.Errorf("enter the router's namespace %s: %w", path, err)
	}
	freshSys()
	return nil
}

// freshSys gives the calling thread a mount namespace in which /sys is of its network
// namespace. What is mounted outside still comes in, nothing goes out. Where that is
// forbidden, as in some containers, only programs that read /sys see less.
func freshSys() {
	var st unix.Statfs_t
	if unix.Unshare(unix.CLONE_NEWNS) != nil || unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "") != nil || unix.Statfs("/sys", &st) != nil {
		return
	}
	unix.Mount("kvmnet", "/sys", "sysfs", uintptr(st.Flags)&unix.MS_RDONLY, "")
}
