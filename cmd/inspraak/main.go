// Command inspraak is the node of a municipality on the fediverse, and the
// tools of those who look after it. It reads the command line and the
// configuration, wires the rooms together and calls their use cases; the rules
// are theirs.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // closing times are local, also where the system has no zones

	"github.com/alecthomas/kong"
)

// Exit codes, the same for every command.
const (
	exitDone   = 0
	exitFail   = 1 // it did not work, or `check` or `verify` found a problem; standard error, or the report, says why
	exitUsage  = 2 // the command line itself is wrong
	exitUnread = 3 // `verify` could not read or fetch something and cannot say
)

// exit ends a command with a code of its own. Without an error the command has
// said all there is to say.
type exit struct {
	code int
	error
}

// commands is the whole command line.
type commands struct {
	Config  string           `short:"c" default:"inspraak.yaml" placeholder:"FILE" help:"Configuration file (${default})."`
	Version kong.VersionFlag `help:"Print the version and stop."`

	Init         initCommand          `cmd:"" help:"Make configuration, keys, database and the first channel."`
	Serve        serveCommand         `cmd:"" help:"Run the node until interrupted."`
	Demo         demoCommand          `cmd:"" help:"Run a node with a small simulated fediverse on this machine."`
	Consultation consultationCommands `cmd:"" help:"Prepare, publish, list and end consultations."`
	Channel      channelCommands      `cmd:"" help:"Add, edit and list channels, the accounts that people follow."`
	Reply        replyCommands        `cmd:"" help:"List, hide, show and answer replies."`
	Complaint    complaintCommands    `cmd:"" help:"List and resolve reports of other servers' moderators."`
	Note         noteCommands         `cmd:"" help:"Publish a notice or an erratum in a consultation's thread."`
	Report       reportCommand        `cmd:"" help:"Write the participation report of a consultation, and keep the municipality's summary."`
	Archive      archiveCommand       `cmd:"" help:"Copy a consultation, or the whole site, into a folder that any web server can serve."`
	Destroy      destroyCommand       `cmd:"" help:"Destroy what links voters and ballots, with two keys and a day between. Cannot be undone."`
	Block        blockCommands        `cmd:"" help:"Block servers and accounts."`
	Retention    retentionCommand     `cmd:"" help:"Let go of what is no longer needed, or tell what would go."`
	Verify       verifyCommand        `cmd:"" help:"Verify the published dataset of a consultation, anybody's."`
	Check        checkCommand         `cmd:"" help:"Examine configuration, clock, disk, database, keys and the way in from outside."`
	SBOM         sbomCommand          `cmd:"" name:"sbom" help:"Print what the program was built from, as CycloneDX 1.6."`
	Audit        auditCommand         `cmd:"" help:"Check, with the auditor's key, that another server signed for every ballot."`
	Evidence     evidenceCommands     `cmd:"" help:"Hand the evidence to an auditor."`
	Backup       backupCommand        `cmd:"" help:"Write an encrypted backup."`
	Restore      restoreCommand       `cmd:"" help:"Restore a backup into an empty data folder."`
}

// serveCommand runs the node.
type serveCommand struct {
	AcceptRollback bool `help:"Go on with a database older than, or other than, the one that the node last ran with."`
}

// Run serves until interrupted.
func (s serveCommand) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	return runServe(a.ctx, cfg, s.AcceptRollback, cfg.Log.logger(os.Stderr))
}

// demoCommand runs a throw-away node.
type demoCommand struct {
	Listen string `default:"127.0.0.1:8080" help:"Address of the node's pages (${default})."`
}

// Run demonstrates until interrupted.
func (d demoCommand) Run(a *app) error {
	return runDemo(a.ctx, DemoOptions(d), a.out)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns the exit code. Asking for help
// or the version ends the process at once, as kong does it.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	var line commands
	parser, err := kong.New(&line,
		kong.Name("inspraak"),
		kong.Description("Consultations of a municipality on the fediverse: people follow, vote and reply from the account they have."),
		kong.Vars{"version": version()},
		kong.Writers(out, errs),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		fmt.Fprintln(errs, "inspraak:", err)
		return exitFail
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errs, "inspraak: %v\nTry \"inspraak --help\".\n", err)
		return exitUsage
	}
	a := &app{ctx: ctx, configPath: line.Config, in: bufio.NewReader(in), out: out, errs: errs, now: time.Now}
	if err := command.Run(a); err != nil {
		end, ok := errors.AsType[exit](err)
		if !ok {
			end = exit{exitFail, err}
		}
		if end.error != nil {
			fmt.Fprintln(errs, "inspraak:", end.error)
		}
		return end.code
	}
	return exitDone
}

// release is set by the linker: -X main.release=… (see the Makefile).
var release string

// version is the release, else the module's version, or the commit it was built
// from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}
