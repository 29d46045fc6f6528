"""Writes what CPython makes of the parsers of the prelude, for a table of inputs.

    python3 tests/oracle/parsers.py

The results beside this file are what the interpreter of `compute` steps must give as well.
"""

import json
from pathlib import Path

HERE = Path(__file__).parent
PRELUDE = HERE / "../../engine/run/src/compute/prelude/parsers.py"

MR_LIST = """Showing 3 open merge requests
!1452  group/backend!1452  AAP-58394 - feat(clowder): scale up (main) ← (aap-58394-scale)
!1450\tgroup/backend!1450\tA title that is longer than sixty characters, and is cut off somewhere there (main) @ada
!1452  group/backend!1452  again (main) ← (other)
no merge request here
"""

MR_BLOCKS = """IID: 12
Title: First thing
Source branch: feature/one
Author: ada
mr_id: 13
title  Second thing
source_branch: two
by @grace
!14
"""

MR_DETAILS = """Title: AAP-1 - fix
Author: @ada
Source Branch: aap-1-fix
SHA: `0123abcdef`
ada commented 2 days ago
grace commented yesterday
Review by linus
"""

NAMESPACES = """ephemeral-abc123  reserved  expires in 2h 30m
ephemeral-def456  ready
other-ns 3h
"""

GIT_LOG = """abc1234 Fix the thing
- `def56789 A message in Markdown`
fedcba9876543210 Long hash
  1234567
not a commit
"""

BRANCHES = """* main
  aap-1-fix
  remotes/origin/aap-1-fix
  remotes/origin/AAP-12-more
  develop
  a
  b
  c
  d
  HEAD
"""

PODS = """NAME                 READY   STATUS             RESTARTS   AGE
api-1                2/2     Running            0          3d
api-2                1/2     Running            4          3d
worker               0/1     CrashLoopBackOff   12         1h

short line
odd Running Running
bare 1/1 Running
"""

STATUS = """On branch feature/x
UU src/a.py
AA src/b.py
        both modified:   src/c.py
        both added:      src/d e.py
        both modified
M  src/e.py
"""

PIPELINES = [
    "Pipeline #9 passed: https://gitlab.example.com/g/p/-/pipelines/9",
    "lint: failed\n  unit-tests: FAILED in 3s\nx: failed\nbuild ok",
    "status: pending",
    "state: cancelled",
    "nothing known",
]

COMMENTS = """@ada commented 2 days ago
Looks fine,
  but check the name.

@konflux_bot commented 1 day ago
Starting Pipelinerun x
"""

SPLIT = """Notes
ada commented 2026-01-31 12:00:00 UTC
First line
second line

footer
grace commented 2026-02-01 08:30:15
Only line"""

CONFLICT = """a
<<<<<<< HEAD
one
=======
two
>>>>>>> abc123 (message)
b
<<<<<<< HEAD
=======
three
>>>>>>> def
"""

REBASE = """CONFLICT (content): Merge conflict in src/a.py
CONFLICT (modify/delete): src/b.py deleted in HEAD
- `src/a.py`
- `src/c d.py`
"""

ALERT = """&lt;p&gt;Alert: API Errors [FIRING:3] Rate &amp; latency of the vCPU job are up &#39;now&#39;
<a href="https://grafana.example.com/d/1">g</a> <a href="https://alertmanager.example.com/#/silences/new?x">s</a>
<a href="https://prometheus.example.com/g?expr=namespace=tower-prod">p</a>
<a href="https://gitlab.example.com/runbooks/a.rst">r</a> <a href="https://console-openshift.example.com/k">c</a>
"""

ALERTS = """alertname=HighLoad severity=critical
message: load is high
alertname: Disk
description: the disk is nearly full
Severity info
alertname=Quiet
"""

CLOWDER = """- namespace:
    $ref: /services/insights/tower-analytics/namespaces/stage-tower.yml
  ref: master
- namespace:
    $ref: /services/insights/tower-analytics/namespaces/tower-analytics-prod.yml
  ref: 0a1b2c3d
- namespace:
    $ref: /services/insights/tower-analytics/namespaces/tower-analytics-prod-billing.yml
  ref: 4e5f6a7b
"""

LOGS = """INFO starting
ERROR: the connection to the database was refused by the host
Exception: short
FAILED: could not apply the migration number fourteen
Traceback (most recent call last):
  File "a.py", line 1
ValueError: bad

INFO done
Error: first of some errors that are all rather long
Error: second of some errors that are all rather long
"""

SHA = "0123456789abcdef0123456789abcdef01234567"

MRS = [{"iid": 1, "author": "ada"}, {"iid": 2, "author": "grace"}, {"iid": 3}, {"iid": 4, "author": None}]

WATCHED = "ada.l commented 1h ago\ngrace commented"

TABLE = {
    "parse_mr_list": [[MR_LIST], [MR_LIST, True], [MR_BLOCKS], [MR_BLOCKS, True], [""], [None]],
    "parse_jira_issues": [["AAP-1  Summary\nAAP-22: " + "x" * 60 + "\nABC-1 other\n AAP-3 indented"], [None]],
    "parse_namespaces": [[NAMESPACES], [""]],
    "is_bot_comment": [
        ["Starting Pipelinerun x"], ["hello", "group_123_bot"], ["/retest"], ["fine"], ["KONFLUX says"], [""],
    ],
    "filter_human_comments": [
        [[{"author": "Ada", "text": "hi"}, {"author": "konflux", "text": "x"}, {"text": "no author"}], "ada"],
        [[{"author": "Ada", "text": "hi"}]],
        [[]],
    ],
    "parse_git_log": [[GIT_LOG], [""], [None]],
    "parse_git_branches": [[BRANCHES], [BRANCHES, "aap-1"], [BRANCHES, "ZZZ-1"], [None]],
    "parse_kubectl_pods": [[PODS], [""]],
    "parse_stale_branches": [[BRANCHES], [""]],
    "parse_git_conflicts": [[STATUS], [None]],
    "parse_pipeline_status": [[text] for text in PIPELINES] + [[""]],
    "parse_mr_comments": [
        [COMMENTS], ['[{"author": "ada", "text": "json"}]'], ['{"a": 1}'], ["no comments"], [""], [None],
    ],
    "extract_jira_key": [
        ["fix AAP-123: x"], ["feature/AAP-9-name"], ["aap-1"], ["A-1"], ["TOOLONGPROJECT-1"], [""], [None],
    ],
    "analyze_mr_status": [
        [MR_DETAILS], [MR_DETAILS, "Grace"], ["Approved by ada"], ["LGTM\nunresolved thread"],
        ["has conflicts\napproved"], ["CI job failed"], ["Merge branch 'main' into x"], ["✅"],
        ["Pipeline\nfailed"], ["please Request a Change"], ["@ada : why?"], [""], [None],
    ],
    "separate_mrs_by_author": [[MRS, "Ada"], [MRS, ""], [[], "x"]],
    "validate_jira_key": [["AAP-1"], [" aap-22 "], ["AAP"], ["A-1"], ["AAP-1x"], [""], [None]],
    "extract_web_url": [
        ["see https://example.com/a?b=c, and more"], ["(https://example.com)"], ["http://example.com"],
        ["https://a.example/x https://a.example/pipelines/7.", r"pipelines/\d+"], [None],
    ],
    "extract_mr_url": [
        ["created: https://gitlab.example.com/g/p/-/merge_requests/12."], ["https://example.com"], [""],
    ],
    "extract_mr_id_from_url": [
        ["https://gitlab.example.com/g/sub/p/-/merge_requests/12"], ["http://x/g/-/merge_requests/1#note"],
        ["https://x/g/merge_requests/1"], [None],
    ],
    "extract_mr_id_from_text": [
        ["!12 and !13"], ["IID: 7"], ["mr_id  8"], ["see 1 or 1234"], ["123456"], ["none"], [""], [None],
    ],
    "extract_branch_from_mr": [
        [MR_DETAILS], ["source_branch (new): abc"], ["Branch: x/y"], ["nothing"], [None],
    ],
    "extract_author_from_mr": [[MR_DETAILS], ["author  grace"], ["by ada"], [""]],
    "parse_jira_status": [["Key: A\nStatus: In Progress"], ["status  Done"], ["none"], [None]],
    "parse_conflict_markers": [[CONFLICT], ["clean"], [""]],
    "extract_conflict_files": [[REBASE], ["fine"], [None]],
    "extract_current_branch": [[STATUS], ["HEAD detached at abc"], [None]],
    "parse_prometheus_alert": [
        [ALERT], ["no alert"], ["Alert: X [FIRING:1] about &unknown; &#x41; namespace:a-b"], [None],
    ],
    "extract_billing_event_number": [["BillingEvent 9 BillingEvent10 BillingEvent 2"], ["none"], [None]],
    "parse_quay_manifest": [
        [f"**Digest:** `sha256:{'0123456789abcdef' * 4}`"], ["Not found"], ["sha256:short"], [None],
    ],
    "extract_ephemeral_namespace": [["Reserved Ephemeral-AbC12 now"], ["none"], [None]],
    "extract_git_sha": [
        ["SHA: `0123abc`"], [f"commit {SHA} and abcdef1"], ["at abcdef1 ok"], ["xyz"], [""], [None],
    ],
    "parse_error_logs": [[LOGS], [LOGS, 2], ["Traceback to the end of a text that is long"], [""]],
    "extract_version_suffix": [["release-v3"], ["release-v3-rc"], ["v3"], [""], [None]],
    "get_next_version": [
        [["aa-1-v2", "aa-1-v10", "bb-v30"], "aa-1"], [["aa-1"], "aa-1"], [[], "aa-1"],
    ],
    "parse_deploy_clowder_ref": [[CLOWDER], [CLOWDER, "tower-analytics-prod-billing"], [CLOWDER, "x"], [""]],
    "update_deploy_clowder_ref": [
        [CLOWDER, SHA], [CLOWDER, SHA, "tower-analytics-prod-billing"], [CLOWDER, SHA, "x"], ["", SHA],
    ],
    "extract_json_from_output": [
        ['Result: {"a": [1, {"b": null}]} done'], ["{not json}"], ["} {"], ["none"], [""], [None],
    ],
    "parse_alertmanager_output": [[ALERTS], ["none"], [None]],
    "extract_all_jira_keys": [["AAP-1, AAP-2 and XAAP-1-x AAP-1"], [""], [None]],
    "linkify_jira_keys": [
        ["fix AAP-1 and AAP-2-some-branch."], ["AAP-1", "https://jira.example.com"],
        ["AAP-1", "https://jira.example.com", True], ["none"], [""], [None],
    ],
    "linkify_mr_ids": [
        ["see !12, !13"], ["!7", "group/app"], ["!7", "group/app", True], ["none"], ["", "x"], [None],
    ],
    "find_full_conflict_marker": [[CONFLICT, "one\n", "two\n"], [CONFLICT, "x", "y"], ["", "a", "b"]],
    "split_mr_comments": [[SPLIT], ["ada commented 2026-01-31 12:00:00\nat the very start"], [None]],
    "slugify_text": [
        ["Fix: the API's (new) thing!"], ["A title that is longer than forty characters"], ["Überall"],
        ["abc def", 5], [""], [None],
    ],
    "find_transition_name": [
        ["To Do, In Progress, Done (final)\nClosed"], ["Reopen\nClose issue, x"], ["Start", ["Sta"]],
        ["none"], [None],
    ],
    "analyze_review_status": [
        [WATCHED, "grace"], [WATCHED, "grace", "ada.l"], [WATCHED, "linus"], ["approved by grace", "grace"],
        ["LGTM", "x"], ["reviewed by Grace, then the author replied", "grace", "zed"], ["", "grace"], [None, "x"],
    ],
}


def main():
    names = {}
    exec(compile(PRELUDE.read_text(), PRELUDE.name, "exec"), names)
    public = {name for name, value in names.items() if callable(value) and not name.startswith("_")}
    assert public == set(TABLE), public ^ set(TABLE)
    cases = [
        {"call": name, "args": args, "result": names[name](*args)} for name in TABLE for args in TABLE[name]
    ]
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    (HERE / "parsers.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
