# What text of tools says: merge requests, issues, branches, pods, alerts.
#
# A block gets the functions it names and those that these name in turn, so every function
# imports what it needs, and relies on nothing else but functions of this file. The
# interpreter has no callable replacements, and compiles a pattern anew at each use, hence
# `finditer`, and patterns made before a loop.

BOT_PATTERNS = [
    r"group_\d+_bot",
    r"konflux",
    r"Starting Pipelinerun",
    r"stone-prod",
    r"tkn pr logs",
    r"Integration test for component",
    r"aap-aa-on-pull-request",
    r"^/retest",
    r"^/approve",
]


# One value of the configuration, when the skill has any.
def _setting(section, name, default):
    try:
        value = config[section][name]
    except (NameError, KeyError, TypeError):
        return default
    return value or default


# Every match of a pattern replaced by what `make` gives for it.
def _replace(pattern, make, text):
    done, pieces = 0, []
    for match in pattern.finditer(text):
        pieces.append(text[done:match.start()])
        pieces.append(make(match))
        done = match.end()
    pieces.append(text[done:])
    return "".join(pieces)


# The first group that took part in a match.
def _group(match):
    for text in match.groups():
        if text is not None:
            return text
    return None


# The first group of the first match, or nothing.
def _first_match(pattern, text, flags=0):
    import re

    match = re.search(pattern, str(text), flags) if text else None
    return match.group(1) if match else None


# Merge requests: one a line (`!7  group/app!7  Title (main) ← (branch)`), or several lines
# for each (`IID: 7`, `Title: …`, `Source branch: …`, `Author: …`).
def parse_mr_list(output, include_author=False):
    import re

    if not output:
        return []
    with_branch = re.compile(r"!(\d+)\s+\S+\s+(.+?)\s*\(main\)\s*←\s*\(([^)]+)\)")
    one_line = re.compile(r"!(\d+)\s+\S+\s+(.+?)\s*\(main\)")
    number_of = re.compile(r"!(\d+)|IID[:\s]+(\d+)|mr_id[:\s]+(\d+)", re.IGNORECASE)
    title_of = re.compile(r"Title[:\s]+(.+)", re.IGNORECASE)
    branch_of = re.compile(r"[Ss]ource[_ ]?[Bb]ranch[:\s]+(\S+)")
    mention_of = re.compile(r"@(\w+)")
    author_of = re.compile(r"Author[:\s]+(\w+)|@(\w+)")

    found, open_mr = [], {}
    for line in str(output).split("\n"):
        whole = with_branch.search(line)
        row = whole or one_line.search(line)
        if row:
            number = int(row.group(1))
            branch = whole.group(3).strip() if whole else ""
            mr = {"iid": number, "id": number, "title": row.group(2).strip()[:60], "branch": branch}
            mention = mention_of.search(line) if include_author else None
            if mention:
                mr["author"] = mention.group(1)
            found.append(mr)
            continue
        begun = number_of.search(line)
        if begun:
            if open_mr:
                found.append(open_mr)
            number = int(_group(begun))
            open_mr = {"iid": number, "id": number, "branch": ""}
        if not open_mr:
            continue
        title = None if open_mr.get("title") else title_of.search(line)
        if title:
            open_mr["title"] = title.group(1).strip()[:60]
        branch = None if open_mr["branch"] else branch_of.search(line)
        if branch:
            open_mr["branch"] = branch.group(1)
        author = author_of.search(line) if include_author and not open_mr.get("author") else None
        if author:
            open_mr["author"] = _group(author)
    if open_mr:
        found.append(open_mr)

    unique = {}
    for mr in found:
        unique.setdefault(mr["iid"], mr)
    return list(unique.values())


# Issues, one a line: `AAP-1  Summary` or `AAP-1: Summary`.
def parse_jira_issues(output):
    import re

    row = re.compile(r"(AAP-\d+)[:\s]+(.+)")
    matches = [row.match(line) for line in str(output).split("\n")] if output else []
    return [{"key": m.group(1), "summary": m.group(2)[:50]} for m in matches if m]


# Ephemeral namespaces, one a line, with what is said of their expiry.
def parse_namespaces(output):
    import re

    if not output:
        return []
    row = re.compile(r"(ephemeral-\w+)\s+.*?(\d+[hm].*?)(?:\s|$)")
    name_of = re.compile(r"(ephemeral-\w+)")
    found = []
    for line in str(output).split("\n"):
        match = row.search(line)
        name = match or name_of.search(line)
        if name:
            expires = match.group(2).strip() if match else "unknown"
            found.append({"name": name.group(1), "expires": expires})
    return found


# Whether a comment was written by a machine.
def is_bot_comment(text, author=""):
    import re

    whole = f"{author} {text}"
    return any([re.search(pattern, whole, re.IGNORECASE) is not None for pattern in BOT_PATTERNS])


# The comments of people, without those of one of them.
def filter_human_comments(comments, exclude_author=None):
    excluded = exclude_author.lower() if exclude_author else None
    return [
        comment
        for comment in comments
        if not is_bot_comment(comment.get("text", ""), comment.get("author", ""))
        and (excluded is None or comment.get("author", "").lower() != excluded)
    ]


# Commits of `git log --oneline`, also as a list in Markdown.
def parse_git_log(output):
    import re

    if not output:
        return []
    quoted = re.compile(r"`([a-f0-9]{7,})\s+(.+?)`")
    sha = re.compile(r"[a-f0-9]{7,}")
    found = []
    for line in str(output).strip().split("\n"):
        line = line.strip()
        match = quoted.search(line)
        if match:
            found.append({"sha": match.group(1)[:7], "message": match.group(2)[:60]})
            continue
        word, _, message = line.partition(" ")
        if sha.fullmatch(word):
            found.append({"sha": word[:7], "message": message})
    return found


# Branches of `git branch -a`, each once, those with an issue's key if one is given.
def parse_git_branches(output, issue_key=None):
    found = {}
    for line in str(output).split("\n") if output else []:
        branch = line.strip().replace("* ", "").replace("remotes/origin/", "")
        wanted = not issue_key or issue_key.upper() in branch.upper()
        if branch and branch not in ("main", "master", "HEAD") and wanted:
            found[branch] = True
    return list(found)


# Pods of `kubectl get pods`.
def parse_kubectl_pods(output):
    found = []
    for line in str(output).split("\n") if output else []:
        cells = line.split()
        if len(cells) < 3 or line.startswith("NAME"):
            continue
        ready, _, wanted = cells[1].partition("/")
        found.append(
            {
                "name": cells[0],
                "ready": cells[1],
                "status": cells[2],
                "restarts": cells[3] if len(cells) > 3 else "0",
                "age": cells[4] if len(cells) > 4 else "?",
                "healthy": cells[2] == "Running" and "/" in cells[1] and ready == wanted.split("/")[0],
            }
        )
    return found


# The first five branches that are not where work comes together. Their age is not known.
def parse_stale_branches(output, max_age_days=30):
    return [name for name in parse_git_branches(output) if name != "develop"][:5]


# Files in conflict, of `git status` in its long or short form.
def parse_git_conflicts(status_output):
    short = {"UU ": "both modified", "AA ": "both added"}
    found = []
    for line in str(status_output).split("\n") if status_output else []:
        line = line.strip()
        kind = short.get(line[:3])
        if kind:
            found.append({"file": line[3:], "type": kind})
            continue
        for kind in short.values():
            if kind in line.lower():
                file = line.partition(":")[2].strip()
                if file:
                    found.append({"file": file, "type": kind})
                break
    return found


# How a pipeline stands, its address and the jobs that failed.
def parse_pipeline_status(output):
    import re

    result = {"status": "unknown", "url": None, "jobs": [], "failed_jobs": []}
    if not output:
        return result
    text = str(output)
    lower = text.lower()
    words = {
        "passed": ("passed", "success"),
        "failed": ("failed",),
        "running": ("running", "pending"),
        "canceled": ("canceled", "cancelled"),
    }
    for status, signs in words.items():
        if any([sign in lower for sign in signs]):
            result["status"] = status
            break
    result["url"] = _first_match(r"(https?://[^\s]+/pipelines/\d+)", text)
    failed = re.compile(r"(\w[\w-]+):\s*failed", re.IGNORECASE)
    jobs = [failed.match(line.strip()) for line in text.split("\n")]
    result["failed_jobs"] = [job.group(1) for job in jobs if job]
    return result


# Comments: a JSON list as it is, or a text of `@name commented 2 days ago` and lines below.
def parse_mr_comments(output):
    import json
    import re

    if not output:
        return []
    try:
        data = json.loads(output)
        if isinstance(data, list):
            return data
    except (ValueError, TypeError):
        pass
    head = re.compile(r"@(\w+)\s+commented\s+(.+)")
    found = []
    for line in str(output).split("\n"):
        match = head.match(line)
        if match:
            found.append({"author": match.group(1), "date": match.group(2), "text": ""})
        elif found and line.strip():
            found[-1]["text"] += line.strip() + " "
    return found


# The first issue's key in a text.
def extract_jira_key(text):
    return _first_match(r"\b([A-Z]{2,10}-\d+)\b", text)


# Where a merge request stands: approval, conflicts, pipeline, comments, and what to do.
def analyze_mr_status(details, my_username=None):
    import re

    text = str(details) if details else ""
    lower = text.lower()

    def says(*signs):
        return any([sign in lower for sign in signs])

    conflicts = says("cannot be merged", "has conflicts", "merge conflict", "needs rebase", "unable to merge")
    merges = says("merge branch", "merge commit") or re.search(r"merge.*into", lower) is not None
    approved = says("approved", "lgtm", ":white_check_mark:", "✅")
    unresolved = (
        says("unresolved", "open discussion", "needs work") or re.search(r"request.*change", lower) is not None
    )
    broken = re.search(r"(?:pipeline|ci|build).*failed", lower) is not None

    mine = (my_username or "").lower()
    reviewers = {}
    for pattern in (r"(\w+)\s+commented", r"review by\s+(\w+)", r"@(\w+)\s+:", r"feedback from\s+(\w+)"):
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if match.group(1).lower() != mine:
                reviewers[match.group(1)] = True

    if conflicts:
        status, action = "needs_rebase", "Has merge conflicts - needs rebase"
    elif approved and not unresolved:
        status, action = "approved", "Ready to merge!"
    elif unresolved or (reviewers and not approved):
        status, action = "needs_response", "Reviewer feedback needs your response"
    elif broken:
        status, action = "pipeline_failed", "Fix pipeline before review"
    elif merges:
        status, action = "needs_rebase", "Has merge commits - consider rebasing"
    else:
        status, action = "awaiting_review", "Waiting for reviewers"
    return {
        "is_approved": approved,
        "has_conflicts": conflicts,
        "needs_rebase": conflicts or merges,
        "pipeline_failed": broken,
        "has_feedback": len(reviewers) > 0,
        "reviewers": list(reviewers),
        "unresolved": unresolved,
        "status": status,
        "action": action,
    }


# Merge requests of one person, whatever they are called in the configuration, and those of others.
def separate_mrs_by_author(mrs, my_username):
    names = [my_username]
    for name in ("username", "gitlab_username", "jira_username"):
        names.append(_setting("user", name, ""))
    for mail in [_setting("user", "email", "")] + list(_setting("user", "email_aliases", [])):
        names.append(mail)
        names.append(mail.split("@")[0])
    full_name = _setting("user", "full_name", "")
    names += [full_name, full_name.replace("'", ""), full_name.replace(" ", "_")]
    own = [name.lower() for name in names if name]

    result = {"my_mrs": [], "to_review": []}
    for mr in mrs:
        author = (mr.get("author", "") or "").lower()
        mine = any([name in author for name in own])
        result["my_mrs" if mine else "to_review"].append(mr)
    return result


# Whether a text is an issue's key, in any case.
def validate_jira_key(key):
    import re

    return bool(key) and re.fullmatch(r"[A-Z]{2,10}-\d+", str(key).strip().upper()) is not None


# The first address in a text, or the first that has a pattern in it.
def extract_web_url(text, pattern=None):
    url = _first_match(rf"(https://\S*{pattern}\S*)" if pattern else r"(https://\S+)", text)
    return url.rstrip(".,;:'\")") if url else None


# The first address of a merge request in a text.
def extract_mr_url(text):
    return extract_web_url(text, r"merge_requests/\d+")


# Project and number that the address of a merge request names.
def extract_mr_id_from_url(url):
    import re

    match = re.match(r"https?://[^/]+/(.+?)/-/merge_requests/(\d+)", str(url)) if url else None
    return {"project": match.group(1), "mr_id": int(match.group(2))} if match else None


# The number of a merge request: `!7`, `IID: 7`, `mr_id: 7`, else the first number of two to
# five digits.
def extract_mr_id_from_text(text):
    import re

    if not text:
        return None
    match = re.search(r"!(\d+)|IID[:\s]+(\d+)|mr_id[:\s]+(\d+)", str(text), re.IGNORECASE)
    match = match or re.search(r"\b(\d{2,5})\b", str(text))
    return int(_group(match)) if match else None


# The branch that a merge request comes from.
def extract_branch_from_mr(mr_details):
    import re

    for pattern in (r"source[_ ]?branch[:\s]+(\S+)", r"source_branch.*?[:\s]+(\S+)", r"branch:\s*(\S+)"):
        branch = _first_match(pattern, mr_details, re.IGNORECASE)
        if branch:
            return branch
    return None


# Who wrote a merge request.
def extract_author_from_mr(mr_details):
    import re

    return _first_match(r"author[:\s]+@?(\w+)", mr_details, re.IGNORECASE)


# The first word of an issue's status.
def parse_jira_status(issue_details):
    import re

    return _first_match(r"status[:\s]+(\S+)", issue_details, re.IGNORECASE)


# Both sides of every conflict that is marked in a file.
def parse_conflict_markers(content):
    import re

    if not content:
        return []
    sides = re.findall(r"<<<<<<<[^\n]*\n(.*?)=======\n(.*?)>>>>>>>[^\n]*", str(content), re.DOTALL)
    return [{"ours": ours.strip(), "theirs": theirs.strip()} for ours, theirs in sides]


# Files that a merge or rebase could not merge, each once.
def extract_conflict_files(output):
    import re

    if not output:
        return []
    listed = re.findall(r"- `([^`]+)`", str(output))
    told = re.findall(r"CONFLICT \([^)]+\):\s*(?:Merge conflict in\s*)?(\S+)", str(output))
    return list(dict.fromkeys(listed + told))


# The branch that `git status` is on.
def extract_current_branch(git_status_output):
    return _first_match(r"On branch (\S+)", git_status_output)


# Text of a page without its entities.
def _unescape(text):
    import re

    named = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&", "nbsp": "\xa0"}

    def plain(match):
        name = match.group(1)
        if not name.startswith("#"):
            return named.get(name, match.group(0))
        is_hex = name[1] in "xX"
        code = int(name[2:], 16) if is_hex else int(name[1:])
        return chr(code) if 0 < code < 0x110000 else match.group(0)

    return _replace(re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-z]+);"), plain, text)


# An alert as it is written to a channel: `Alert: Name [FIRING:2] what happens`, with links.
def parse_prometheus_alert(message):
    import re

    result = {
        "alert_name": "Unknown Alert",
        "firing_count": 1,
        "description": "",
        "namespace": None,
        "is_billing": False,
        "links": {},
    }
    if not message:
        return result
    text = _unescape(str(message))
    name = _first_match(r"Alert:\s*([^\[]+)", text, re.IGNORECASE)
    if name:
        result["alert_name"] = name.strip()
    count = _first_match(r"\[FIRING:(\d+)\]", text)
    if count:
        result["firing_count"] = int(count)
    description = _first_match(r"\[FIRING:\d+\]\s*(.+?)(?:<|$)", text, re.DOTALL)
    if description:
        result["description"] = description.strip()[:500]
    result["namespace"] = _first_match(r"namespace[=:]([a-z0-9-]+)", text, re.IGNORECASE)
    billing = ("billing", "subscription", "vcpu", "host_count", "infra_usage", "metering", "swatch", "rhsm")
    lower = text.lower()
    result["is_billing"] = any([word in lower for word in billing])
    links = {
        "alertmanager": r'href="(https://alertmanager[^"]+)"',
        "grafana": r'href="(https://grafana[^"]+)"',
        "prometheus": r'href="(https://prometheus[^"]+)"',
        "runbook": r'href="(https://gitlab[^"]+\.rst)"',
        "console": r'href="(https://console-openshift[^"]+)"',
        "silence": r'href="(https://alertmanager[^"]+silences[^"]+)"',
    }
    for kind, pattern in links.items():
        link = _first_match(pattern, text)
        if link:
            result["links"][kind] = link
    return result


# The number for the next billing event: one more than the highest so far.
def extract_billing_event_number(jira_output):
    import re

    numbers = re.findall(r"BillingEvent\s*(\d+)", str(jira_output)) if jira_output else []
    return max([int(number) for number in numbers]) + 1 if numbers else 1


# The digest of an image.
def parse_quay_manifest(output):
    if not output or "not found" in output.lower():
        return None
    digest = _first_match(r"sha256:([a-f0-9]{64})", output)
    return {"digest": digest, "full_digest": f"sha256:{digest}"} if digest else None


# The first ephemeral namespace in a text.
def extract_ephemeral_namespace(output):
    return _first_match(r"(ephemeral-[a-z0-9]+)", str(output).lower() if output else None)


# A commit: behind `SHA:`, else a full hash, else a short one.
def extract_git_sha(text):
    import re

    return (
        _first_match(r"SHA[:\s]+`?([a-f0-9]{7,40})`?", text, re.IGNORECASE)
        or _first_match(r"\b([a-f0-9]{40})\b", text)
        or _first_match(r"\b([a-f0-9]{7,12})\b", text)
    )


# What went wrong, in the words of a log: up to three errors, failures and tracebacks each.
def parse_error_logs(logs, max_errors=5):
    import re

    if not logs:
        return []
    kinds = (
        re.compile(r"(?:Error|ERROR|Exception|EXCEPTION):\s*(.+?)(?:\n|$)", re.MULTILINE | re.DOTALL),
        re.compile(r"(?:Failed|FAILED):\s*(.+?)(?:\n|$)", re.MULTILINE | re.DOTALL),
        re.compile(r"[Tt]raceback(.+?)(?:\n\n|$(?!\n))", re.DOTALL),
    )
    found = []
    for kind in kinds:
        texts = kind.findall(str(logs))[:3]
        found += [text[:200] for text in texts if len(text) > 20]
    return found[:max_errors]


# The number behind `-v` at the end of a name.
def extract_version_suffix(text):
    number = _first_match(r"-v(\d+)$", text)
    return int(number) if number else None


# The number for the next branch of a series; the first one has none and counts as 1.
def get_next_version(branches, base_name):
    numbers = [extract_version_suffix(branch) for branch in branches if base_name in branch]
    return max([1] + [number for number in numbers if number]) + 1


# The commit that a namespace is deployed from.
def parse_deploy_clowder_ref(content, namespace_pattern="tower-analytics-prod"):
    return _first_match(rf"\$ref:.*{namespace_pattern}\.yml\s*\n\s*ref:\s*([a-f0-9]+)", content)


# The same file with another commit there, and whether there was one.
def update_deploy_clowder_ref(content, new_sha, namespace_pattern="tower-analytics-prod"):
    import re

    if not content:
        return content, False
    folder = "/services/insights/tower-analytics/namespaces/"
    place = re.compile(rf"(\$ref:\s*{folder}{namespace_pattern}\.yml\s*\n\s*ref:\s*)[a-f0-9]+")
    text = str(content)
    return _replace(place, lambda match: match.group(1) + new_sha, text), place.search(text) is not None


# The JSON between the first and the last brace of a text.
def extract_json_from_output(text):
    import json

    whole = str(text) if text else ""
    start, end = whole.find("{"), whole.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        return json.loads(whole[start : end + 1])
    except ValueError:
        return None


# Alerts: `alertname=…` begins one, `severity=…` and a message or description belong to it.
def parse_alertmanager_output(text):
    import re

    if not text:
        return []
    name_of = re.compile(r"alertname[=:\s]+(\S+)", re.IGNORECASE)
    severity_of = re.compile(r"severity[=:\s]+(\S+)", re.IGNORECASE)
    found = []
    for line in str(text).split("\n"):
        lower = line.lower()
        name = name_of.search(line)
        if name:
            found.append({"name": name.group(1), "severity": "warning"})
        severity = severity_of.search(line) if found else None
        if severity:
            found[-1]["severity"] = severity.group(1)
        if found and ("message" in lower or "description" in lower):
            found[-1]["message"] = line.strip()[:100]
    return found


# Every issue's key in a text, as often as it is there.
def extract_all_jira_keys(text):
    import re

    return re.findall(r"([A-Z]+-\d+)", str(text)) if text else []


# A text with links at its issues' keys, also `AAP-1-some-branch`.
def linkify_jira_keys(text, jira_url=None, slack_format=False):
    import re

    if not text:
        return text
    base = jira_url if jira_url is not None else _setting("jira", "url", "https://issues.redhat.com")

    def link(match):
        url = f"{base}/browse/{match.group(1)}"
        return f"<{url}|{match.group(0)}>" if slack_format else f"[{match.group(0)}]({url})"

    return _replace(re.compile(r"\b([A-Z]+-\d+)(?:-[\w-]+)?\b"), link, str(text))


# A text with links at numbers of merge requests such as `!7`.
def linkify_mr_ids(text, project_path="automation-analytics/automation-analytics-backend", slack_format=False):
    import re

    if not text:
        return text
    host = _setting("gitlab", "host", "gitlab.cee.redhat.com")

    def link(match):
        url = f"https://{host}/{project_path}/-/merge_requests/{match.group(1)}"
        return f"<{url}|{match.group(0)}>" if slack_format else f"[{match.group(0)}]({url})"

    return _replace(re.compile(r"!(\d+)"), link, str(text))


# The whole marker of the conflict that has these two sides.
def find_full_conflict_marker(content, ours, theirs):
    import re

    sides = re.escape(ours) + r"=======\n" + re.escape(theirs)
    return _first_match(r"(<<<<<<<[^\n]*\n" + sides + r">>>>>>>[^\n]*\n?)", content)


# Comments as (author, time, text): `name commented 2026-01-31 12:00:00` at the start of any
# line but the first begins one.
def split_mr_comments(text):
    import re

    whole = str(text) if text else ""
    head = re.compile(r"\n(\w+) commented (\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})")
    heads = list(head.finditer(whole))
    ends = [match.start() for match in heads[1:]] + [len(whole)]
    return [
        (match.group(1), match.group(2), whole[match.end() : end].split("\n\n")[0].strip())
        for match, end in zip(heads, ends)
    ]


# A text as a part of a branch's name.
def slugify_text(text, max_length=40):
    import re

    return re.sub(r"[^a-z0-9]+", "-", str(text)[:max_length].lower()).strip("-") if text else ""


# The name of the first transition that has one of these words in it, from that word on.
def find_transition_name(transitions_text, target_variations=None):
    import re

    if not transitions_text:
        return None
    words = ["Done", "Close", "Resolve", "Complete"] if target_variations is None else target_variations
    for word in words:
        name = _first_match(rf"({re.escape(word)}[^,\n]*)", transitions_text, re.IGNORECASE)
        if name:
            return name.strip()
    return None


# Where a review stands for one reviewer, and what to do next.
def analyze_review_status(details, reviewer_username, author=""):
    import re

    def told(reviewed, replied, approved, action, reason):
        return {
            "my_feedback_exists": reviewed,
            "author_replied": replied,
            "already_approved": approved,
            "recommended_action": action,
            "reason": reason,
        }

    if not details or not reviewer_username:
        return told(False, False, False, "needs_full_review", "No details available")

    def says(pattern):
        return re.search(pattern, details, re.IGNORECASE) is not None

    me, other = re.escape(reviewer_username), re.escape(author or "")
    reviewed = says(rf"{me}.*?commented|reviewed by.*?{me}")
    replied = bool(author) and says(rf"{other}.*?commented|replied")
    approved = says(rf"approved by.*?{me}|LGTM|Looks good")
    if approved:
        return told(reviewed, replied, approved, "skip", "Already approved")
    if not reviewed:
        return told(reviewed, replied, approved, "needs_full_review", "No previous review from me")
    if not replied:
        return told(reviewed, replied, approved, "skip", "Waiting for author response")
    return told(reviewed, replied, approved, "needs_followup", "Author replied, check if issues resolved")
