package cli

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// Options connect the command line with the program around it.
type Options struct {
	Version string
	// Daemon serves until the context ends; nil = this program has none.
	Daemon func(context.Context, DaemonOptions) error
	// Recover ends changes that an earlier daemon left; nil = this program has none.
	Recover func(context.Context, RecoverOptions) error
	// Demo builds a lab in private namespaces; nil = this program has none.
	Demo func(context.Context, DemoOptions) error
	// Told reports whether an error stands on the output already; nil = never.
	Told func(error) bool

	Stdin          io.Reader // nil = the process's own
	Stdout, Stderr io.Writer
}

// DaemonOptions are the flags of `kvmnet daemon`, all filled in.
type DaemonOptions struct {
	ConfigDir, StateDir, RuntimeDir, NetnsDir, Socket string
	Clean                                             bool // take away what it made instead of serving
	LogLevel                                          slog.Level
	Version                                           string
}

// DemoOptions are the flags of `kvmnet demo`.
type DemoOptions struct {
	Guests   string    // "veth" or "qemu"
	Keep     bool      // leave the lab up
	Remove   bool      // remove a lab that was kept, and do nothing else
	Terminal bool      // Stdout is a terminal that takes colours
	Topology *api.File // nil = the built-in one
	Version  string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// app is one invocation.
type app struct {
	Options
	socket  string
	quiet   bool
	running bool // a command has begun: its errors are no longer about usage
	daemon  *api.Client
}

// New returns the command tree, for running through Run or for generating
// documentation.
func New(o Options) *cobra.Command {
	_, root := build(o)
	return root
}

// Run runs one command line, without the program's name, and returns the exit
// code: 0 done, 1 failed, 2 usage, 3 changes pending or a promise broken.
func Run(ctx context.Context, args []string, o Options) int {
	a, root := build(o)
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	cmd, err := root.ExecuteContextC(ctx)
	if a.daemon != nil {
		a.daemon.Close()
	}
	return a.exit(ctx, cmd, err)
}

func build(o Options) (*app, *cobra.Command) {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	a := &app{Options: o}
	root := a.root()
	root.SetIn(o.Stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	a.noteBeginning(root)
	return a, root
}

// noteBeginning wraps every command: cobra returns errors about flags and
// arguments and those of the command itself alike, and they differ in the exit
// code.
func (a *app) noteBeginning(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.running = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		a.noteBeginning(sub)
	}
}

// The groups of `kvmnet --help`.
const (
	wholeGroup   = "whole"
	objectGroup  = "object"
	routerGroup  = "router"
	serviceGroup = "service"
)

func (a *app) root() *cobra.Command {
	root := a.group("kvmnet", "networks for virtual machines",
		`kvmnet gives virtual machines networks: isolated, NAT, routed, open and bridged.

A daemon makes the host's bridges, addresses, routes and packet filter what
your definitions say, and keeps them so. This command talks to it. Definitions
are files of YAML, or of libvirt's XML; 'kvmnet net add' writes a simple one for
you.`,
		`  kvmnet net add lab --nat          a NAT network with a free subnet
  kvmnet port add lab --name vm1    a tap for a guest on it
  kvmnet apply -f lab.yaml          everything a file says
  kvmnet verify                     prove with packets who reaches whom`)
	root.Version = a.Version
	root.SetVersionTemplate("kvmnet {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.TraverseChildren = true // flags before a command are not among its words
	root.CompletionOptions.DisableDefaultCmd = true
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetFlagErrorFunc(a.flagError)
	// A command that only holds others runs to print its help; its usage is not
	// "kvmnet net [flags]".
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "`path` of the daemon's socket (default $KVMNET_SOCKET, or kvmnet.sock in $KVMNET_RUNTIME_DIR or "+runtimeDir+")")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no messages; listings print names only")
	root.AddGroup(&cobra.Group{ID: wholeGroup, Title: "The whole:"}, &cobra.Group{ID: objectGroup, Title: "Networks and ports:"},
		&cobra.Group{ID: routerGroup, Title: "Between networks:"}, &cobra.Group{ID: serviceGroup, Title: "The daemon:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(wholeGroup, a.applyCommand(), a.diffCommand(), a.getCommand(), a.deleteCommand(), a.verifyCommand(), a.demoCommand(), a.importCommand(), a.exportCommand())
	add(objectGroup, a.netCommand(), a.portCommand(), a.addrCommand(), a.leasesCommand(), a.leaseCommand(),
		a.runCommand(), a.ifupCommand(), a.ifdownCommand(), a.bridgeHelperCommand(), a.bridgeCommand(), a.ifaceCommand())
	add(routerGroup, a.routerCommand(), a.forwardCommand(), a.policyCommand(), a.setCommand())
	add(serviceGroup, a.daemonCommand(), a.statusCommand(), a.eventsCommand(), a.doctorCommand(), a.gcCommand(), a.pauseCommand(), a.resumeCommand(), a.recoverCommand())
	root.AddCommand(a.completionCommand(), a.versionCommand())
	root.AddCommand(a.virshCommands()...)
	root.AddCommand(a.virshTopic())
	root.SetHelpCommand(a.helpCommand())
	return root
}

// Default directories.
const (
	configDir  = "/etc/kvmnet"
	stateDir   = "/var/lib/kvmnet"
	runtimeDir = "/run/kvmnet"
	netnsDir   = "/run/netns" // where ip-netns(8) looks
)

// socketPath is where the daemon listens: by flag, by environment, or in its
// runtime directory.
func (a *app) socketPath(runtime string) string {
	return cmp.Or(a.socket, os.Getenv("KVMNET_SOCKET"), filepath.Join(runtime, "kvmnet.sock"))
}

// client returns the daemon, connecting with its first call.
func (a *app) client() *api.Client {
	if a.daemon == nil {
		a.daemon = api.NewClient(a.socketPath(cmp.Or(os.Getenv("KVMNET_RUNTIME_DIR"), runtimeDir)))
	}
	return a.daemon
}
