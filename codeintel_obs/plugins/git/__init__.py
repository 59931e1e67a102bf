"""Watches GitPython 3.1.40 to 3.2 (import name ``git``), on Linux.

**Steps.** Operations carry the names of git's own verbs: ``git.open git.init git.clone git.fetch git.pull git.push
git.blame git.history git.diff git.archive git.status git.checkout git.commit git.add git.remove git.move git.reset
git.traverse git.rev_parse git.merge_base`` and more; ``docs/steps.md`` lists all with the methods behind them. Under
them, or by itself where the application calls ``repo.git.<command>()``, stands one ``git.process`` for each process
that GitPython starts, and one ``git.hook`` for each commit hook.

**Ends.** A process that GitPython waits for ends with the call. One whose output is streamed (``as_process``, clone,
fetch, diff, history) ends when it is waited for; dropped early it is ``completed`` with detail ``closed by consumer``
and exit code -15. The ``cat-file --batch`` process that a repository keeps open is one step for its whole life,
marked ``session``. ``git.history`` ends when its iterator is exhausted, closed or collected, with the number of items
that were taken.

**Status.** An exit code alone decides nothing: with ``with_exceptions=False`` the call returned, so the step is
``completed`` and the exit code says the rest. ``timed_out`` is what ``kill_after_timeout`` killed, in both of
GitPython's ways of saying it; a process killed by anybody else ``failed``. A push whose result carries an error
``failed``. A hook that refused ``failed``.

**Never recorded**: output, file contents, commit messages, names and e-mail addresses of people, environment
variables, values of options and of ``-c`` settings, user, password, query and fragment of a URL. The command line
(without these) is kept at content level ``all`` only; below it an error says which subcommand failed and how, not
what git printed.

**Limits.** Properties (``Repo.untracked_files``, ``Commit.stats``) are no points: the process that one starts is a
step. GitPython 3.1.40 starts commit hooks in a way that cannot be watched; from 3.1.41 on they are.
"""
