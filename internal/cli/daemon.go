package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) daemonCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "daemon", Short: "run the daemon",
		Long: `Daemon manages the networks of the network namespace it is started in, until
it gets SIGINT or SIGTERM. Ending or restarting it disturbs no packet: bridges,
ports and rules stay, and the next start takes them over.

It needs root, or CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE and
CAP_SYS_ADMIN.`,
		Example: `  kvmnet daemon
  kvmnet daemon --config-dir ./etc --state-dir ./state --runtime-dir ./run
  kvmnet daemon --clean`,
		Args: none}
	o := DaemonOptions{Version: a.Version}
	dir := func(to *string, flag, env, fallback, text string) {
		cmd.Flags().StringVar(to, flag, cmp.Or(os.Getenv(env), fallback), text+" ($"+env+")")
		cmd.MarkFlagDirname(flag)
	}
	dir(&o.ConfigDir, "config-dir", "KVMNET_CONFIG_DIR", configDir, "definitions")
	dir(&o.StateDir, "state-dir", "KVMNET_STATE_DIR", stateDir, "what must outlive a reboot")
	dir(&o.RuntimeDir, "runtime-dir", "KVMNET_RUNTIME_DIR", runtimeDir, "what a reboot may take")
	dir(&o.NetnsDir, "netns-dir", "KVMNET_NETNS_DIR", netnsDir, "namespaces of routers, where 'ip netns' looks for them")
	cmd.Flags().BoolVar(&o.Clean, "clean", false, "take away all it made, give back what it changed, and end; the next start makes it again")
	level := choose(cmd, "log-level", "", "least level of what is logged", "info", "debug", "warn", "error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if a.Daemon == nil {
			return errors.New("this program was built without the daemon")
		}
		o.Socket = a.socketPath(o.RuntimeDir)
		if err := o.LogLevel.UnmarshalText([]byte(level.value)); err != nil {
			return err
		}
		return a.Daemon(cmd.Context(), o)
	}
	return cmd
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "show how the daemon and the networks are",
		Long: `Status prints the daemon's own state, and every object that is not as its
definition wants it, with the reason.`,
		Example: `  kvmnet status
  kvmnet status -o json | jq .problems`,
		Args: none}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.client().Status(cmd.Context())
		if err != nil {
			return err
		}
		return a.print(form.value, s, func() error { return a.printStatus(s) })
	}
	return cmd
}

func (a *app) printStatus(s api.Status) error {
	version := s.Version
	if version != a.Version {
		version += " (this command: " + a.Version + ")"
	}
	state := "working"
	if s.Paused {
		state = "paused: nothing is repaired until 'kvmnet resume'"
	}
	problems := "none"
	if len(s.Problems) > 0 {
		problems = strings.Join(s.Problems, "\n")
	}
	return a.fields(
		"Daemon", fmt.Sprintf("%s, process %d, up %s", version, s.PID, ago(s.Started)),
		"State", state,
		"Definitions", s.ConfigDir,
		"Networks", fmt.Sprintf("%d, %d running", s.Networks, s.Running),
		"Ports", fmt.Sprint(s.Ports),
		"Routers", number(s.Routers),
		"Forwards", number(s.Forwards),
		"Policies", number(s.Policies),
		"Uplinks", strings.Join(s.Uplinks, ", "),
		"Last look", fmt.Sprintf("%s ago, took %s", ago(s.LastPass), s.PassTook),
		"Repairs", fmt.Sprint(s.Repairs),
		"Problems", problems)
}

// ago is the time since t in seconds.
func ago(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return time.Since(t).Round(time.Second).String()
}

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{Use: "pause", Short: "look, but repair nothing",
		Long: `Pause makes the daemon leave the kernel as it is, for an experiment by hand.
It goes on looking: 'kvmnet diff' shows what it would repair. What you ask for
(apply, net start, port add) is still done.`,
		Example: `  kvmnet pause
  ip addr flush dev lab0; kvmnet diff
  kvmnet resume`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.client().Pause(cmd.Context(), true)
			if err == nil {
				a.say("paused: nothing is repaired until 'kvmnet resume'")
			}
			return err
		}}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{Use: "resume", Short: "repair again after a pause",
		Long:    `Resume ends a pause. What has drifted meanwhile is repaired at once.`,
		Example: `  kvmnet resume`,
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.client().Pause(cmd.Context(), false)
			if err == nil {
				a.say("resumed")
			}
			return err
		}}
}

func (a *app) gcCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "gc", Short: "remove what is ours and no longer wanted",
		Long: `Gc removes bridges, ports, addresses, routes and rules that carry our mark and
that no definition wants any more. What does not carry our mark is never
touched.`,
		Example: `  kvmnet gc --dry-run
  kvmnet gc`,
		Args: none}
	dry := cmd.Flags().Bool("dry-run", false, "only list what would be removed")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask, did := a.client().Collect, "removed"
		if *dry {
			ask, did = a.client().Orphans, "would remove"
		}
		list, err := ask(cmd.Context())
		if err != nil {
			return err
		}
		doc := struct {
			Orphans []api.Orphan `json:"orphans"`
		}{list}
		return a.print(form.value, doc, func() error {
			for _, o := range list {
				a.say("%s %s", did, o.Object)
			}
			if len(list) == 0 {
				a.say("nothing to remove")
			}
			return nil
		})
	}
	return cmd
}

func (a *app) demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo", Short: "see it work in a private lab",
		Long: `Demo builds a whole lab in network namespaces of its own: an outside, this
host, networks of several modes and guests on them. It proves with packets who
reaches whom, and takes everything down again. The host's own network is not
touched and no daemon needs to run.`,
		Example: `  kvmnet demo
  kvmnet demo --guests qemu
  kvmnet demo --keep --topology lab.yaml
  kvmnet demo --remove`,
		Args: none}
	guests := choose(cmd, "guests", "", "what plays the guests", "veth", "qemu")
	keep := cmd.Flags().Bool("keep", false, "leave the lab up and say how to enter and remove it")
	remove := cmd.Flags().Bool("remove", false, "remove a lab that was kept")
	topology := cmd.Flags().String("topology", "", "file with networks and ports to build instead, - for standard input")
	cmd.MarkFlagFilename("topology", "yaml", "yml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if a.Demo == nil {
			return errors.New("this program was built without the demo")
		}
		o := DemoOptions{Guests: guests.value, Keep: *keep, Remove: *remove, Version: a.Version, Stdin: a.Stdin, Stdout: a.Stdout, Stderr: a.Stderr,
			Terminal: coloured(a.Stdout)}
		if *topology != "" {
			f, err := a.readFile(*topology)
			if err != nil {
				return err
			}
			o.Topology = &f
		}
		return a.Demo(cmd.Context(), o)
	}
	return cmd
}
