"""GitPython's public names that are no point, each group with its reason: ``module:name``, or ``fnmatch`` patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_REPO: Final = "git.repo.base:Repo."
_GIT: Final = "git.cmd:Git."
_INDEX: Final = "git.index.base:IndexFile."
_COMMIT: Final = "git.objects.commit:Commit."
_SUBMODULE: Final = "git.objects.submodule.base:Submodule."
_REMOTE: Final = "git.remote:Remote."
_SYMBOLIC: Final = "git.refs.symbolic:SymbolicReference."

_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "a property; the git process that it may start is a git.process step of its own": (
        *(f"{_REPO}{name}" for name in ("untracked_files", "index", "submodules", "remotes", "active_branch")),
        *(f"{_REPO}{name}" for name in ("heads", "branches", "references", "refs", "head", "tags")),
        *(f"{_COMMIT}{name}" for name in ("stats", "name_rev", "trailers", "trailers_list", "trailers_dict")),
        *(f"{_REMOTE}{name}" for name in ("urls", "refs", "stale_refs", "config_reader", "config_writer")),
        "git.objects.base:Object.data_stream",
        f"{_GIT}version_info",
    ),
    "a property that reads what is loaded already, or one small file": (
        *(f"{_REPO}{name}" for name in ("description", "working_tree_dir", "common_dir", "bare")),
        *(f"{_REPO}{name}" for name in ("daemon_export", "alternates")),
        *(f"{_COMMIT}{name}" for name in ("authored_datetime", "committed_datetime", "summary", "co_authors")),
        *(f"{_SYMBOLIC}{name}" for name in ("name", "abspath", "commit", "object", "reference", "ref", "is_detached")),
        *(f"{_SUBMODULE}{name}" for name in ("abspath", "branch*", "url", "parent_commit", "name")),
        "git.refs.reference:Reference.name",
        "git.refs.reference:Reference.remote_*",
        "git.refs.tag:TagReference.commit",
        "git.refs.tag:TagReference.tag",
        "git.refs.tag:TagReference.object",
        "git.objects.base:IndexObject.*",
        "git.objects.base:Object.hexsha",
        "git.objects.blob:Blob.mime_type",
        "git.objects.tree:Tree.trees",
        "git.objects.tree:Tree.blobs",
        "git.objects.tree:Tree.cache",
        f"{_GIT}working_dir",
        f"{_INDEX}path",
    ),
    "goes through methods that are points": (
        *(f"{_REPO}{name}" for name in ("create_*", "delete_*", "submodule_update", "commit", "tree", "iter_trees")),
        f"{_COMMIT}iter_parents",
        f"{_REMOTE}add",
        f"{_REMOTE}rm",
        "git.objects.tree:Tree.list_traverse",
        "git.objects.util:TraversableIterableObj.list_traverse",
        "git.refs.head:Head.set_tracking_branch",
    ),
    "one git command and nothing else: its git.process step says all of it": (
        f"{_GIT}ls_remote",
        f"{_GIT}refresh",
        "git:refresh",
        "git.remote:FetchInfo.refresh",
    ),
    "one object or line through a session: the session is the step, not each object": (
        f"{_GIT}get_object_header",
        f"{_GIT}get_object_data",
        f"{_GIT}stream_object_data",
        f"{_GIT}CatFileContentStream.*",
        "git.db:GitCmdObjectDB.*",
        f"{_REPO}is_valid_object",
    ),
    "closes what is open: each session that it ends says so": (
        f"{_GIT}clear_cache",
        f"{_REPO}close",
    ),
    "looks at references, logs and configuration in small local files; starts no process": (
        *(f"{_REPO}{name}" for name in ("remote", "submodule", "iter_submodules", "tag", "config_reader")),
        *(f"{_REPO}{name}" for name in ("config_writer", "has_separate_working_tree", "currently_rebasing_on")),
        *(f"{_SYMBOLIC}{name}" for name in ("dereference_recursive", "is_valid", "is_remote", "iter_items")),
        *(f"{_SYMBOLIC}{name}" for name in ("log", "log_entry", "from_path", "to_full_path")),
        *(f"{_SUBMODULE}{name}" for name in ("set_parent_commit", "module", "module_exists", "exists", "children")),
        *(f"{_SUBMODULE}{name}" for name in ("iter_items", "config_reader", "config_writer")),
        "git.objects.submodule.root:RootModule.module",
        "git.refs.reference:Reference.iter_items",
        "git.refs.remote:RemoteReference.iter_items",
        "git.refs.head:HEAD.orig_head",
        "git.refs.head:Head.tracking_branch",
        "git.refs.head:Head.config_reader",
        "git.refs.head:Head.config_writer",
        f"{_REMOTE}exists",
        f"{_REMOTE}iter_items",
        "git.config:GitConfigParser.[!w]*",
        "git.config:SectionConstraint.*",
        "git.config:get_config_path",
        "git.repo.fun:*",
    ),
    "writes one line of a reference's log, as part of a git.set_ref step": (
        f"{_SYMBOLIC}log_append",
        "git.refs.log:*",
    ),
    "writes through GitConfigParser.write, which is the point": ("git.objects.submodule.util:SubmoduleConfigParser.*",),
    "reads or changes entries that are in memory": (
        *(f"{_INDEX}{name}" for name in ("iter_blobs", "unmerged_blobs", "entry_key", "update")),
        "git.index.typ:*",
        "git.objects.tree:TreeModifier.*",
        f"{_COMMIT}replace",
    ),
    "part of what IndexFile's methods do, which are points; a hook's process is a git.hook step": (
        *(f"git.index.fun:{name}" for name in ("read_*", "write_*", "run_commit_hook", "aggressive_tree_merge")),
        *(f"git.index.fun:{name}" for name in ("entry_key", "hook_path", "stat_mode_to_index_mode")),
    ),
    "makes an object and does no work yet": (
        *(f"{cls}__init__" for cls in (_GIT, _INDEX, _COMMIT, _SUBMODULE, _REMOTE)),
        "git.objects.submodule.root:RootModule.__init__",
        "git.objects.base:Object.__init__",
        "git.objects.base:Object.new",
        "git.objects.base:Object.new_from_sha",
        "git.objects.tag:TagObject.__init__",
        "git.objects.tree:Tree.__init__",
        "git.refs.*:*.__init__",
        "git.objects.util:ProcessStreamAdapter.__init__",
        f"{_GIT}AutoInterrupt.__init__",
    ),
    "always raises: remote references are made by a fetch": ("git.refs.remote:RemoteReference.create",),
    "prepares a command line or an environment; starts nothing": (
        *(f"{_GIT}{name}" for name in ("is_cygwin", "polish_url", "check_unsafe_*", "transform_*", "__call__")),
        *(f"{_GIT}{name}" for name in ("environment", "update_environment", "custom_environment")),
        f"{_GIT}set_persistent_git_options",
        "git.cmd:dashify",
    ),
    "reads the output of a process that has a step of its own": (
        "git.cmd:handle_process_output",
        "git.remote:add_progress",
        "git.remote:to_progress_instance",
    ),
    "data that came back": (
        "git.diff:Diff.*",
        "git.diff:DiffIndex.*",
        "git.diff:decode_path",
        "git.remote:FetchInfo.*",
        "git.remote:PushInfo.*",
        "git.remote:PushInfoList.*",
    ),
    "deprecated at this abstract class; the classes that can be traversed have points": (
        "git.objects.util:Traversable.*",
    ),
    "helpers of the library, types, exceptions and deprecated names": (
        "git.util:*",
        "git.compat:*",
        "git.exc:*",
        "git.types:*",
        "git.index.util:*",
        "git.objects.fun:*",
        "git.objects.util:[!PT]*",
        "git.objects.submodule.util:[!S]*",
        "git.objects.tree:[!T]*",
        "git.config:needs_values",
        "git.config:set_dirty_and_flush_changes",
        "git.cmd:dict_to_slots_and__excluded_are_none",
        "git.cmd:slots_to_dict",
        "git.refs.head:strip_quotes",
        "git.refs.reference:require_remote_ref_path",
    ),
}

EXCLUSIONS: Final = {name: reason for reason, names in _GROUPS.items() for name in names}
