"""The table of formats, backends and products, printed at the end of a run of this folder."""


def pytest_terminal_summary(terminalreporter):
    """Print every cell that was compared, whether it passed or not."""
    reports = [r for name in ("passed", "failed") for r in terminalreporter.stats.get(name, [])]
    cells = [value for r in reports for key, value in r.user_properties if key == "parity"]
    if not cells:
        return
    terminalreporter.section("parity")
    terminalreporter.write_line("format | backend | product | largest difference | bound")
    for raw_format, backend, name, found, bound, unit in cells:
        terminalreporter.write_line(
            f"{raw_format} | {backend} | {name} | {found:.2g} {unit} | {bound:g} {unit}"
        )
