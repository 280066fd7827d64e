"""Login: anonymous names only, after a while where that is set; and the way out."""

from __future__ import annotations

from ftpfw.server.embedded.bounds import refuse_login
from ftpfw.server.embedded.files import Files
from ftpfw.server.embedded.opening import Opening


class Login(Opening):
    """USER, PASS and QUIT."""

    def ftp_USER(self, line: str) -> None:  # noqa: N802 -- the verb
        """Anonymous names log in; of others nothing is said before the password."""
        if self.authenticated:
            self.flush_account()
        self.username = line
        if self._is_anonymous() and not self.site.settings.anonymous.ask_password:
            self._log_in("")
            return
        self.respond("331 Send your e-mail address as the password.")

    def ftp_PASS(self, line: str) -> None:  # noqa: N802 -- the verb
        """Log in, after a while where that is set."""
        if self.authenticated or not self.username:
            self.respond("503 Send USER first.")
            return
        login = self.site.settings.login
        if self._is_anonymous() and line not in self.site.refused_passwords:
            if login.success_delay:
                self.hold(login.success_delay, lambda: self._log_in(line))
            else:
                self._log_in(line)
        elif login.failure_delay:
            self.hold(login.failure_delay, self._refuse_login)
        else:
            self._refuse_login()

    def _is_anonymous(self) -> bool:
        anonymous = self.site.settings.anonymous
        return anonymous.any_name or self.username.lower() in anonymous.names

    def _log_in(self, password: str) -> None:
        seats = self.site.seats
        with seats.locked():
            refusal = refuse_login(self.site.settings.limits, seats.census(self.remote_ip))
            if refusal is None and self._seat is not None:
                seats.log_in(self._seat)
        if refusal is not None:
            self.end(refusal)
            return
        self.authenticated = True
        self.password = password
        self.failures = 0
        self.fs = Files(self.site, self)
        self.note(f"logged in as {self.username!r}, {password!r}")
        self.say(230, self.site.texts.login)

    def _refuse_login(self) -> None:
        self.failures += 1
        self.warn(f"login as {self.username!r} refused")
        self.username = ""
        most = self.site.settings.login.failures
        self.respond("530 This server is for anonymous clients.")
        if most is not None and self.failures >= most:
            self.close_when_done()

    def flush_account(self) -> None:
        """Nobody is logged in any more."""
        super().flush_account()
        if self._seat is not None:
            self.site.seats.log_out(self._seat)

    def ftp_QUIT(self, line: str) -> None:  # noqa: N802 -- the verb
        """Say goodbye, after the transfer that runs."""
        del line
        self.say(221, self.site.texts.goodbye)
        if self._is_transferring():
            self._quit_pending = True
            self.del_channel()
        else:
            self._shutdown_connecting_dtp()
            self.close_when_done()
