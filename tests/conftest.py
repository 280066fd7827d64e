import pytest
from hypothesis import settings

# A deadline in absolute time says how busy the machine is, not whether the code is right.
settings.register_profile("ftpfw", deadline=None)
settings.load_profile("ftpfw")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files instead of comparing"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
