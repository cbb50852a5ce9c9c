"""The public names, each with its home: the one list that `__init__.py` reads."""

from kerasft.catalog import (
    list_recipes as list_recipes,
)
from kerasft.catalog import (
    load_recipe as load_recipe,
)
from kerasft.checks import (
    Check as Check,
)
from kerasft.checks import (
    check as check,
)
from kerasft.config import (
    Config as Config,
)
from kerasft.config import (
    ImageConfig as ImageConfig,
)
from kerasft.config import (
    TextConfig as TextConfig,
)
from kerasft.data import (
    Data as Data,
)
from kerasft.data import (
    Examples as Examples,
)
from kerasft.data import (
    Labels as Labels,
)
from kerasft.data import (
    Split as Split,
)
from kerasft.data import (
    load_data as load_data,
)
from kerasft.data import (
    load_glyphs as load_glyphs,
)
from kerasft.data import (
    prepare_data as prepare_data,
)
from kerasft.dataset import (
    Dataset as Dataset,
)
from kerasft.errors import (
    DamagedFileError as DamagedFileError,
)
from kerasft.errors import (
    DataError as DataError,
)
from kerasft.errors import (
    DivergedError as DivergedError,
)
from kerasft.errors import (
    KerasftError as KerasftError,
)
from kerasft.errors import (
    NetworkError as NetworkError,
)
from kerasft.errors import (
    NoTrialError as NoTrialError,
)
from kerasft.errors import (
    ProofError as ProofError,
)
from kerasft.errors import (
    ResourceError as ResourceError,
)
from kerasft.errors import (
    ResumeError as ResumeError,
)
from kerasft.errors import (
    SettingError as SettingError,
)
from kerasft.evaluation import (
    calibrate as calibrate,
)
from kerasft.evaluation import (
    evaluate as evaluate,
)
from kerasft.evaluation import (
    load_model as load_model,
)
from kerasft.evaluation import (
    predict as predict,
)
from kerasft.insight import (
    compare as compare,
)
from kerasft.insight import (
    diagnose as diagnose,
)
from kerasft.insight import (
    plot_curves as plot_curves,
)
from kerasft.insight import (
    run_html as run_html,
)
from kerasft.insight import (
    write_report as write_report,
)
from kerasft.modalities import (
    features as features,
)
from kerasft.modalities.image_features import (
    image_features as image_features,
)
from kerasft.modalities.text_features import (
    text_features as text_features,
)
from kerasft.models import (
    block_table as block_table,
)
from kerasft.models import (
    describe_blocks as describe_blocks,
)
from kerasft.models import (
    find_blocks as find_blocks,
)
from kerasft.models import (
    freeze as freeze,
)
from kerasft.models import (
    head as head,
)
from kerasft.models import (
    load_backbone as load_backbone,
)
from kerasft.planning import (
    FitPlan as FitPlan,
)
from kerasft.planning import (
    SearchPlan as SearchPlan,
)
from kerasft.planning import (
    plan_fit as plan_fit,
)
from kerasft.planning import (
    plan_search as plan_search,
)
from kerasft.runs import (
    Run as Run,
)
from kerasft.runs import (
    list_runs as list_runs,
)
from kerasft.runs import (
    load_run as load_run,
)
from kerasft.serving.benchmark import (
    benchmark as benchmark,
)
from kerasft.serving.export import (
    export as export,
)
from kerasft.serving.verify import (
    verify as verify,
)
from kerasft.setting_declaration import (
    setting as setting,
)
from kerasft.training import (
    average as average,
)
from kerasft.training import (
    compare_baselines as compare_baselines,
)
from kerasft.training import (
    compile_model as compile_model,
)
from kerasft.training import (
    find_learning_rate as find_learning_rate,
)
from kerasft.training import (
    fit as fit,
)
from kerasft.tuning.results import (
    Search as Search,
)
from kerasft.tuning.results import (
    Trial as Trial,
)
from kerasft.tuning.results import (
    load_search as load_search,
)
from kerasft.tuning.tune import (
    tune as tune,
)

__version__: str
__all__: list[str]
